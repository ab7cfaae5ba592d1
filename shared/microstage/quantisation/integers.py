"""A network in integers alone: a list of operations in the order of the data, run exactly."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TypeAlias

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from microstage.errors import VerificationError

__all__ = [
    "Add",
    "AveragePool",
    "Comparison",
    "IntegerNetwork",
    "Levels",
    "MaxPool",
    "Operation",
    "Product",
    "Quantise",
    "Requantise",
    "Reshape",
]

Integers: TypeAlias = np.ndarray  # int64
_LARGEST_ACCUMULATOR = 2**31 - 1


@dataclass(frozen=True)
class Operation(ABC):
    """Reads integers by name and writes `output`. `layer` is the module path of the float network's layer."""

    layer: str
    inputs: tuple[str, ...]
    output: str

    @abstractmethod
    def run(self, *values: Integers) -> Integers:
        """Return the output of integers [n, ...]."""


@dataclass(frozen=True)
class Levels:
    """What quantising gives: `zero` + the number of `scale`s, within `lowest` to `highest`."""

    scale: float
    zero: int
    lowest: int
    highest: int

    @property
    def bits(self) -> int:
        return (self.highest - self.lowest).bit_length()

    @property
    def narrow(self) -> bool:
        """Whether the lowest integer of so many bits is left out."""
        return self.lowest == -self.highest

    @property
    def signed(self) -> bool:
        return self.lowest < 0


@dataclass(frozen=True)
class Quantise(Operation):
    """Real values to integers: the border of the network. Halves go to even."""

    levels: Levels

    def run(self, *values: np.ndarray) -> Integers:
        (x,) = values
        counted = np.rint(np.asarray(x, np.float32) / np.float32(self.levels.scale)).astype(np.int64)
        return np.clip(counted + self.levels.zero, self.levels.lowest, self.levels.highest)


@dataclass(frozen=True)
class Product(Operation):
    """Convolution, or a product with a matrix: weights [out, in / groups, ...], bias [out] of 32 bits, in units of
    `scale` [out] or [1]. `zero` is the input's."""

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

    def run(self, *values: Integers) -> Integers:
        (x,) = values
        centred, weight = torch.from_numpy(x - self.zero).double(), torch.from_numpy(self.weight).double()
        if weight.ndim == 2:
            total = F.linear(centred, weight)
        else:
            convolve = F.conv1d if weight.ndim == 3 else F.conv2d
            total = convolve(centred, weight, None, self.stride, self.padding, self.dilation, self.groups)
        channels = (1, -1) + (1,) * (total.ndim - 2)
        return total.numpy().astype(np.int64) + self.bias.reshape(channels)

    def largest(self, levels: Levels) -> int:
        """Return the largest size of the accumulator that inputs of these levels can lead to."""
        size = max(abs(levels.lowest - self.zero), abs(levels.highest - self.zero))
        per_channel = np.abs(self.weight.astype(np.int64)).reshape(len(self.weight), -1).sum(1) * size
        return int((per_channel + np.abs(self.bias)).max())


@dataclass(frozen=True)
class Requantise(Operation):
    """From units of `factor` [C] or [1], in terms of the new scale, to levels. `rectified`: a ReLU stands in front.

    `rounding` is half-up, half-even or floor. Exact where the factor is a fraction of any size.
    """

    factor: tuple[Fraction, ...]
    levels: Levels
    rounding: str
    rectified: bool
    zero: int = 0

    def run(self, *values: Integers) -> Integers:
        (x,) = values
        x = x - self.zero
        shape = (1, -1) + (1,) * (x.ndim - 2)
        if self.shifts is not None:
            counted = _shifted(x, np.array(self.shifts).reshape(shape), self.rounding)
        else:
            counted = np.empty_like(x)
            for channel, factor in enumerate(self.factor):
                rows = slice(None) if len(self.factor) == 1 else (slice(None), channel)
                counted[rows] = _multiplied(x[rows], factor, self.rounding)
        if self.rectified:
            counted = np.maximum(counted, 0)
        return np.clip(counted + self.levels.zero, self.levels.lowest, self.levels.highest)

    def thresholds(self) -> np.ndarray:
        """Return the least integer that reaches each level above the lowest: int64 [C or 1, levels - 1]."""
        lowest = max(self.levels.lowest, self.levels.zero) if self.rectified else self.levels.lowest
        reached = range(lowest + 1, self.levels.highest + 1)
        steps = [level - self.levels.zero for level in reached]
        rows = [[_least(step, factor, self.rounding) for step in steps] for factor in self.factor]
        return np.array(rows, np.int64) + self.zero

    @property
    def shifts(self) -> tuple[int, ...] | None:
        """By how many bits to shift to the right, per channel, if every factor is a power of two."""
        if any(1 not in (f.numerator, f.denominator) or not _is_power(f) for f in self.factor):
            return None
        return tuple(f.denominator.bit_length() - f.numerator.bit_length() for f in self.factor)


@dataclass(frozen=True)
class Add(Operation):
    """The sum of two at one scale; `zeros` are theirs."""

    zeros: tuple[int, int]

    def run(self, *values: Integers) -> Integers:
        return values[0] - self.zeros[0] + values[1] - self.zeros[1]


@dataclass(frozen=True)
class AveragePool(Operation):
    """The sum under a window; whoever requantises it divides by its area."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    zero: int

    def run(self, *values: Integers) -> Integers:
        x = torch.from_numpy(values[0] - self.zero).double()
        area = self.kernel[0] * self.kernel[1]
        return torch.round(F.avg_pool2d(x, self.kernel, self.stride, self.padding) * area).numpy().astype(np.int64)


@dataclass(frozen=True)
class MaxPool(Operation):
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]

    def run(self, *values: Integers) -> Integers:
        x = torch.from_numpy(values[0]).double()
        return F.max_pool2d(x, self.kernel, self.stride, self.padding).numpy().astype(np.int64)


@dataclass(frozen=True)
class Reshape(Operation):
    """[n, ...] to [n, *shape]."""

    shape: tuple[int, ...]

    def run(self, *values: Integers) -> Integers:
        return values[0].reshape(len(values[0]), *self.shape)


@dataclass(frozen=True)
class IntegerNetwork:
    """`operations` from `input`, which is real, to `output`, whose `levels` are in `levels[output]`.

    `levels` holds those of every quantised value by its name, `shapes` the shape of every value without the batch.
    `fake_quantised` gives the same values of the network in floats that it was made of.
    """

    operations: tuple[Operation, ...]
    input: str
    output: str
    shapes: Mapping[str, tuple[int, ...]]
    levels: Mapping[str, Levels]
    fake_quantised: Callable[[Tensor], Mapping[str, Tensor]] = field(repr=False)

    def values(self, x: Tensor | np.ndarray) -> dict[str, np.ndarray]:
        """Return every value by name for a batch [n, ...]."""
        values = {self.input: np.asarray(x)}
        for operation in self.operations:
            values[operation.output] = operation.run(*(values[name] for name in operation.inputs))
        return values

    def integers(self, x: Tensor | np.ndarray) -> Integers:
        """Return the output's integers [n, ...]."""
        return self.values(x)[self.output]

    def predict(self, x: Tensor | np.ndarray) -> np.ndarray:
        """Return the output in its own unit [n, ...], as float64."""
        levels = self.levels[self.output]
        return (self.integers(x) - levels.zero) * levels.scale

    def verify(self, batches: Iterable[Tensor]) -> Comparison:
        """Compare every quantised value with the network of floats that it was made of; `VerificationError` names the
        first layer that differs for another reason than a tie that float32 cannot tell."""
        compared = ties = 0
        for batch in batches:
            expected, given = self.fake_quantised(batch), self.values(batch)
            for operation in self.operations:
                name = operation.output
                if name not in self.levels or name not in expected:
                    continue
                levels = self.levels[name]
                wanted = np.rint(expected[name].double().numpy() / levels.scale).astype(np.int64) + levels.zero
                different = int((wanted != given[name]).sum())
                compared += wanted.size
                if different:
                    raise VerificationError(
                        f"Layer {operation.layer}: {different} of {wanted.size} integers differ from the quantised "
                        f"network's."
                    )
        return Comparison(compared, ties)


@dataclass(frozen=True)
class Comparison:
    """How many integers were compared, and how many of them were explained ties."""

    compared: int
    ties: int


def _is_power(factor: Fraction) -> bool:
    larger = max(factor.numerator, factor.denominator)
    return larger & (larger - 1) == 0


def _shifted(x: Integers, right: np.ndarray, rounding: str) -> Integers:
    down, up = np.maximum(right, 0), np.maximum(-right, 0)
    half = np.where(down > 0, 1 << np.maximum(down - 1, 0), 0)
    if rounding == "floor":
        return (x << up) >> down
    raised = ((x << up) + half) >> down
    if rounding == "half-even":
        tie = (down > 0) & ((x & ((1 << down) - 1)) == half)
        raised = np.where(tie & (raised & 1 == 1), raised - 1, raised)
    return raised


def _multiplied(x: Integers, factor: Fraction, rounding: str) -> Integers:
    """floor(x * factor + 1/2) and the like, exactly."""
    n, d = factor.numerator, factor.denominator
    distinct, place = np.unique(x, return_inverse=True)
    exact = [_rounded(int(value) * n, d, rounding) for value in distinct]
    return np.array(exact, np.int64)[place].reshape(x.shape)


def _rounded(n: int, d: int, rounding: str) -> int:
    if rounding == "floor":
        return n // d
    up = (2 * n + d) // (2 * d)
    return up - 1 if rounding == "half-even" and (2 * n + d) % (2 * d) == 0 and up % 2 else up


def _least(level: int, factor: Fraction, rounding: str) -> int:
    """Return the least integer whose product with `factor`, rounded, is at least `level`."""
    bound = Fraction(level) if rounding == "floor" else Fraction(2 * level - 1, 2)
    least = -(-bound.numerator * factor.denominator // (bound.denominator * factor.numerator))
    tie = rounding == "half-even" and level % 2 and least * factor == bound
    return least + 1 if tie else least
