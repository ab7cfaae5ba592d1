"""From integers of one unit to levels of another: which integer is the least that reaches a level.

Whatever the rounding, a level is a rising function of the integer before it. So these least integers, its thresholds,
are the whole of it, and they are found exactly: by fractions, or by the target's own fixed-point arithmetic.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from fractions import Fraction

import numpy as np

from microstage.errors import ModelError
from microstage.integer import gemmlowp

__all__ = ["FixedPoint", "exact_thresholds", "rounded", "shifts_of", "tie_of"]

_FARTHEST = 2**62  # a threshold that no integer of 32 bits reaches


def exact_thresholds(factor: Fraction, rounding: str, steps: Iterable[int]) -> list[int]:
    """Return the least integer x for each step with round(x * factor) >= step; `rounding` half-up, half-even, floor."""
    n, d = factor.numerator, factor.denominator
    if rounding == "floor":
        return [_within_64_bits(-(-step * d // n)) for step in steps]
    least = [-(-(2 * step - 1) * d // (2 * n)) for step in steps]
    if rounding == "half-even":
        least = [x + _goes_below(x, step, n, d) for x, step in zip(least, steps)]
    return [_within_64_bits(x) for x in least]


def tie_of(step: int, factor: Fraction, rounding: str) -> Fraction:
    """Return where x * factor reaches a step: at the step itself if rounding is floor, half below it otherwise."""
    return (Fraction(step) if rounding == "floor" else Fraction(2 * step - 1, 2)) / factor


def rounded(value: Fraction, rounding: str) -> int:
    """Return a positive number as an integer; fixed-point rounds halves up."""
    if rounding == "floor":
        return math.floor(value)
    return round(value) if rounding == "half-even" else math.floor(value + Fraction(1, 2))


def shifts_of(factors: Sequence[Fraction]) -> tuple[int, ...] | None:
    """Return by how many bits each factor shifts to the right; None unless all are powers of two."""
    if any(1 not in (f.numerator, f.denominator) or not _is_power(f) for f in factors):
        return None
    return tuple(f.denominator.bit_length() - f.numerator.bit_length() for f in factors)


def _goes_below(x: int, step: int, n: int, d: int) -> bool:
    """Whether x n / d lies halfway below an odd step, so that the even one below is its nearest."""
    return step % 2 == 1 and 2 * x * n == (2 * step - 1) * d


def _within_64_bits(value: int) -> int:
    return max(-_FARTHEST, min(_FARTHEST, value))


def _is_power(factor: Fraction) -> bool:
    larger = max(factor.numerator, factor.denominator)
    return larger & (larger - 1) == 0


class FixedPoint:
    """TensorFlow Lite's multipliers: 31 bits and a shift (`QuantizeMultiplier`), a product that is rounded twice.

    `lift` is by how many bits integers are raised before: sums are, as in TensorFlow Lite's ADD.
    """

    def __init__(self, factors: Sequence[Fraction], lift: int = 0) -> None:
        pairs = np.array([_multiplier(factor) for factor in factors], np.int64)
        self.multiplier, self.shift, self.lift = pairs[:, :1], pairs[:, 1:] - lift, lift
        if self.shift.min() < -31 or self.shift.max() > 30:
            raise ModelError("a factor is beyond a multiplier of 31 bits and a shift of 31")

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Return x [factors, ...] times the factors, rounded (`MultiplyByQuantizedMultiplier`); x within 32 bits."""
        return gemmlowp.scaled(np.asarray(x, np.int64) << self.lift, self.multiplier, self.shift)

    def thresholds(self, steps: Iterable[int]) -> np.ndarray:
        """Return the least integer for each step whose product reaches it, [factors, steps], by halving the range."""
        wanted = np.fromiter(steps, np.int64)
        most = np.broadcast_to(gemmlowp.ONE >> (self.lift + np.maximum(self.shift, 0)), (len(self.shift), len(wanted)))
        below, reached = -most - 1, most
        while (reached - below > 1).any():
            middle = (below + reached) >> 1
            enough = self(middle) >= wanted
            below, reached = np.where(enough, below, middle), np.where(enough, middle, reached)
        return np.where(self(reached) < wanted, _FARTHEST, reached)

    @property
    def uncertainty(self) -> float:
        """By how many levels rounding twice, and a multiplier of 31 bits, can move a tie."""
        return 2.0 ** min(int(self.shift.max()) - 1, 0) + 2.0**-22


def _multiplier(factor: Fraction) -> tuple[int, int]:
    """Return m and s with m 2^(s - 31) next to the factor."""
    mantissa, exponent = math.frexp(float(factor))
    multiplier = round(mantissa * 2**31)
    return (multiplier // 2, exponent + 1) if multiplier == 2**31 else (multiplier, exponent)
