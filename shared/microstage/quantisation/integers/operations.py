"""What a network in integers is made of. Every operation is run exactly, in int64."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np
import torch
import torch.nn.functional as F

from microstage.quantisation.integers.levels import Levels
from microstage.quantisation.integers.rescaling import FixedPoint, exact_thresholds, shifts_of, tie_of

__all__ = [
    "Add",
    "AveragePool",
    "Concatenate",
    "MaxPool",
    "Operation",
    "Product",
    "Quantise",
    "Requantise",
    "Reshape",
]

_ADDED_BITS = 19  # by which TensorFlow Lite's ADD raises what it adds


@dataclass(frozen=True)
class Operation(ABC):
    """Reads values by name and writes `output`. `layer` is the module path, or the name, of what it was made of."""

    layer: str
    inputs: tuple[str, ...]
    output: str

    @abstractmethod
    def run(self, *values: np.ndarray) -> np.ndarray:
        """Return the output, int64, of integers [n, ...]."""


@dataclass(frozen=True)
class Quantise(Operation):
    """Real values to integers: the border of the network. Computes in float32; `rounding` is half-even or floor."""

    levels: Levels
    rounding: str

    def run(self, *values: np.ndarray) -> np.ndarray:
        (x,) = values
        round_ = np.floor if self.rounding == "floor" else np.rint
        counted = round_(np.asarray(x, np.float32) / np.float32(self.levels.scale)).astype(np.int64)
        return np.clip(counted + self.levels.zero, self.levels.lowest, self.levels.highest)


@dataclass(frozen=True)
class Product(Operation):
    """Convolution, or a product with a matrix: weights [out, in / groups, ...] and bias [out] of 32 bits.

    The accumulator counts in `scale` [out] or [1]; `zero` is the input's zero point.
    """

    weight: np.ndarray
    weight_levels: Levels
    weight_scale: np.ndarray
    bias: np.ndarray
    scale: np.ndarray
    zero: int
    stride: tuple[int, ...] = ()
    padding: tuple[int, ...] = ()
    dilation: tuple[int, ...] = ()
    groups: int = 1

    def run(self, *values: np.ndarray) -> np.ndarray:
        (x,) = values
        centred, weight = torch.from_numpy(x - self.zero).double(), torch.from_numpy(self.weight).double()
        if weight.ndim == 2:
            total = F.linear(centred, weight)
        else:
            convolve = F.conv1d if weight.ndim == 3 else F.conv2d
            total = convolve(centred, weight, None, self.stride, self.padding, self.dilation, self.groups)
        return total.numpy().astype(np.int64) + _along_channels(self.bias, total.ndim)

    def largest(self, levels: Levels) -> int:
        """Return the largest size of the accumulator that inputs of these levels can lead to."""
        size = max(abs(levels.lowest - self.zero), abs(levels.highest - self.zero))
        per_channel = np.abs(self.weight.astype(np.int64)).reshape(len(self.weight), -1).sum(1) * size
        return int((per_channel + np.abs(self.bias)).max())


@dataclass(frozen=True)
class Requantise(Operation):
    """Integers of one unit, less `zero`, as levels of another.

    `factors` [channels] or [1] say exactly how many new units one old unit is. `rounding` is half-up, half-even, floor
    or fixed-point. The result is held to `lowest` to `highest`, within `levels`: a ReLU narrows it.
    """

    factors: tuple[Fraction, ...]
    rounding: str
    zero: int
    levels: Levels
    lowest: int
    highest: int
    of_sum: bool = False

    def run(self, *values: np.ndarray) -> np.ndarray:
        (x,) = values
        counted = np.empty(x.shape, np.int64)
        for channel, reached in enumerate(self.thresholds):
            rows = slice(None) if len(self.thresholds) == 1 else (slice(None), channel)
            counted[rows] = np.searchsorted(reached, x[rows], side="right")
        return counted + self.lowest

    @cached_property
    def thresholds(self) -> np.ndarray:
        """The least integer that reaches each level above `lowest`: int64 [channels or 1, highest - lowest]."""
        steps = range(self.lowest + 1 - self.levels.zero, self.highest + 1 - self.levels.zero)
        if self.rounding == "fixed-point":
            return self.multipliers.thresholds(steps) + self.zero
        rows = [exact_thresholds(factor, self.rounding, steps) for factor in self.factors]
        return np.array(rows, np.int64) + self.zero

    @property
    def shifts(self) -> tuple[int, ...] | None:
        """By how many bits to shift to the right, per channel, if every factor is a power of two."""
        return shifts_of(self.factors)

    @cached_property
    def multipliers(self) -> FixedPoint:
        """What takes the place of the factors where rounding is fixed-point."""
        return FixedPoint(self.factors, _ADDED_BITS if self.of_sum else 0)

    def meets_ties(self) -> bool:
        """Whether an integer can fall on the very border of two levels."""
        steps = range(self.lowest + 1 - self.levels.zero, self.highest + 1 - self.levels.zero)
        return any(tie_of(step, factor, self.rounding).denominator == 1 for factor in self.factors for step in steps)

    def uncertainty(self) -> float:
        """By how many levels floats, or fixed point, may differ from the exact border of two levels."""
        if self.rounding == "fixed-point":
            return self.multipliers.uncertainty
        return 0.0 if self.shifts is not None else 2.0**-30


@dataclass(frozen=True)
class Add(Operation):
    """The sum of two at one scale; `zeros` are theirs."""

    zeros: tuple[int, int]

    def run(self, *values: np.ndarray) -> np.ndarray:
        return values[0] - self.zeros[0] + values[1] - self.zeros[1]


@dataclass(frozen=True)
class AveragePool(Operation):
    """The sum under each window; whoever requantises it divides by `area`. `zero` is the input's."""

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    zero: int

    @property
    def area(self) -> int:
        return math.prod(self.kernel)

    def run(self, *values: np.ndarray) -> np.ndarray:
        x = torch.from_numpy(values[0] - self.zero).double()
        pool = F.avg_pool1d if len(self.kernel) == 1 else F.avg_pool2d
        return torch.round(pool(x, self.kernel, self.stride, self.padding) * self.area).numpy().astype(np.int64)


@dataclass(frozen=True)
class MaxPool(Operation):
    """The largest under each window; what lies outside of the image does not count."""

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]
    ceil_mode: bool

    def run(self, *values: np.ndarray) -> np.ndarray:
        x = torch.from_numpy(values[0]).double()
        pool = F.max_pool1d if len(self.kernel) == 1 else F.max_pool2d
        largest = pool(x, self.kernel, self.stride, self.padding, self.dilation, self.ceil_mode)
        return largest.numpy().astype(np.int64)


@dataclass(frozen=True)
class Concatenate(Operation):
    """Values of one scale side by side, along `axis`."""

    axis: int

    def run(self, *values: np.ndarray) -> np.ndarray:
        return np.concatenate(values, self.axis)


@dataclass(frozen=True)
class Reshape(Operation):
    """[n, ...] to [n, *shape]."""

    shape: tuple[int, ...]

    def run(self, *values: np.ndarray) -> np.ndarray:
        return values[0].reshape(len(values[0]), *self.shape)


def _along_channels(values: np.ndarray, rank: int) -> np.ndarray:
    return values.reshape(1, -1, *[1] * (rank - 2))
