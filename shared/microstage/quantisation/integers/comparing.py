"""Integers beside the quantised network of floats, layer by layer: each is given the integers that floats gave."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from microstage.errors import VerificationError
from microstage.quantisation.integers.levels import Levels
from microstage.quantisation.integers.operations import Operation, Quantise, Requantise
from microstage.quantisation.integers.rescaling import tie_of

__all__ = ["Comparison", "compare"]

_FLOAT32 = 2.0**-20  # relative: a division in float32 beside one in float64


@dataclass(frozen=True)
class Comparison:
    """How many integers were compared, and how many of them were ties that floats cannot tell."""

    compared: int
    ties: int

    def __add__(self, other: Comparison) -> Comparison:
        return Comparison(self.compared + other.compared, self.ties + other.ties)


def compare(
    operations: Iterable[Operation],
    levels: Mapping[str, Levels],
    given: str,
    fake_quantised: Callable[[Tensor], Mapping[str, Tensor]],
    batches: Iterable[Tensor],
) -> Comparison:
    """Compare what every quantiser gives. An operation reads what floats gave, so that one tie excuses no other.

    Raise `VerificationError` for the first layer with a difference that is no tie.
    """
    counted = Comparison(0, 0)
    for batch in batches:
        floats, values = fake_quantised(batch), {given: batch.numpy()}
        for operation in operations:
            found = operation.run(*(values[name] for name in operation.inputs))
            values[operation.output] = found
            if isinstance(operation, (Quantise, Requantise)):
                expected = _integers(floats[operation.output], levels[operation.output])
                counted += _compared(operation, values[operation.inputs[0]], expected, found)
                values[operation.output] = expected
    return counted


def _integers(value: Tensor, levels: Levels) -> np.ndarray:
    return np.rint(value.double().numpy() / levels.scale).astype(np.int64) + levels.zero


def _compared(operation: Quantise | Requantise, x: np.ndarray, expected: np.ndarray, found: np.ndarray) -> Comparison:
    different = np.argwhere(expected != found)
    for place in map(tuple, different):
        if not _is_tie(operation, x, place, int(expected[place]), int(found[place])):
            raise VerificationError(
                f"Layer {operation.layer}: {len(different)} of {found.size} integers differ from the quantised "
                f"network's, first at {[int(axis) for axis in place]}: expected {expected[place]}, found "
                f"{found[place]}."
            )
    return Comparison(found.size, len(different))


def _is_tie(operation: Quantise | Requantise, x: np.ndarray, place: tuple, expected: int, found: int) -> bool:
    """Whether the two are neighbours and their border is as near as rounding of floats reaches."""
    if abs(expected - found) != 1:
        return False
    step = max(expected, found) - operation.levels.zero
    if isinstance(operation, Quantise):
        border = step if operation.rounding == "floor" else step - 0.5
        return abs(float(x[place]) / operation.levels.scale - border) <= _FLOAT32 * (abs(border) + 1)
    factor = operation.factors[place[1] if len(operation.factors) > 1 else 0]
    distance = abs((int(x[place]) - operation.zero) - tie_of(step, factor, operation.rounding)) * factor
    return distance <= operation.uncertainty()
