"""One layer with weights, and what every form of its files asks of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from microstage.errors import IntegrityError
from microstage.untrusted.limits import MOST_OCTETS

__all__ = ["LONGEST_SHIFT", "MOST", "Numbers", "QuantisedLayer", "Shapes", "content", "joined", "sizes"]

Shapes = Sequence[tuple[int, ...]]
Numbers = tuple[int, int, int]  # scale, shift, zero point
MOST, LONGEST_SHIFT = 255, 62  # what FPGAI's C holds each of them in; what 64 bits are shifted by


@dataclass(frozen=True)
class QuantisedLayer:
    """`weight` uint8 [out, ...], which count from `zero_point`; `bias` int32 [out].

    It gives ((x * (weight - zero_point) + bias) * scale + half) >> shift of integers x, where half is 2^shift / 2.
    """

    weight: np.ndarray
    bias: np.ndarray
    scale: int
    shift: int
    zero_point: int

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, QuantisedLayer)
            and self.numbers == other.numbers
            and np.array_equal(self.weight, other.weight)
            and np.array_equal(self.bias, other.bias)
        )

    @property
    def numbers(self) -> Numbers:
        """What a line of the file of quantisation has."""
        return self.scale, self.shift, self.zero_point

    def requantised(self, sums: np.ndarray) -> np.ndarray:
        """Return what the layer gives for sums of products, bias included; int64, not held to any range."""
        return (sums * np.int64(self.scale) + (np.int64(1) << self.shift >> 1)) >> self.shift


def joined(
    weights: Sequence[np.ndarray],
    biases: Sequence[np.ndarray],
    numbers: Sequence[Numbers],
    shapes: Shapes,
) -> list[QuantisedLayer]:
    """Return layers of flat weights and biases, whose `shapes` are those of the weights."""
    return [
        QuantisedLayer(weight.reshape(shape).astype(np.uint8), bias.astype(np.int32), *row)
        for weight, bias, row, shape in zip(weights, biases, numbers, shapes)
    ]


def content(path: Path) -> bytes:
    """Return a file's bytes; `IntegrityError` where there are none, or more than any network has."""
    try:
        if path.stat().st_size > MOST_OCTETS:
            raise IntegrityError(f"{path} has more than {MOST_OCTETS >> 20} MiB, and holds no network.")
        return path.read_bytes()
    except OSError as error:
        raise IntegrityError(f"{path} cannot be read: {error.strerror}.") from None


def sizes(shapes: Shapes) -> list[int]:
    """Return how many weights each shape has."""
    return [math.prod(shape) for shape in shapes]
