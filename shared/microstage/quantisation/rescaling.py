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
    return [_within_64_bits(_least(step, factor, rounding)) for step in steps]


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


def _least(step: int, factor: Fraction, rounding: str) -> int:
    tie = tie_of(step, factor, rounding)
    least = math.ceil(tie)
    to_the_even_below = rounding == "half-even" and step % 2 and least == tie
    return least + 1 if to_the_even_below else least


def _within_64_bits(value: int) -> int:
    return max(-_FARTHEST, min(_FARTHEST, value))


def _is_power(factor: Fraction) -> bool:
    larger = max(factor.numerator, factor.denominator)
    return larger & (larger - 1) == 0


class FixedPoint:
    """TensorFlow Lite's multiplier: 31 bits and a shift (`QuantizeMultiplier`), a product that is rounded twice.

    `lift` is by how many bits integers are raised before: sums are, as in TensorFlow Lite's ADD.
    """

    def __init__(self, factor: Fraction, lift: int = 0) -> None:
        mantissa, exponent = math.frexp(float(factor))
        multiplier = round(mantissa * 2**31)
        if multiplier == 2**31:
            multiplier, exponent = multiplier // 2, exponent + 1
        self.multiplier, self.shift, self.lift = multiplier, exponent - lift, lift
        if not -31 <= self.shift <= 30:
            raise ModelError(f"a factor of {float(factor):g} is beyond a multiplier of 31 bits and a shift of 31")

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Return x times the factor, rounded (`MultiplyByQuantizedMultiplier`); x int64 within 32 bits."""
        return gemmlowp.scaled(np.asarray(x, np.int64) << self.lift, self.multiplier, self.shift)

    def thresholds(self, steps: Iterable[int]) -> list[int]:
        """Return the least integer for each step whose product reaches it, by halving the range."""
        wanted = np.fromiter(steps, np.int64)
        most = gemmlowp.ONE >> (self.lift + max(self.shift, 0))
        below, reached = np.full_like(wanted, -most - 1), np.full_like(wanted, most)
        while (reached - below > 1).any():
            middle = (below + reached) // 2
            enough = self(middle) >= wanted
            below, reached = np.where(enough, below, middle), np.where(enough, middle, reached)
        unreachable = self(reached) < wanted
        return [int(value) for value in np.where(unreachable, _FARTHEST, reached)]

    @property
    def uncertainty(self) -> float:
        """By how many levels rounding twice, and a multiplier of 31 bits, can move a tie."""
        return 2.0 ** min(self.shift - 1, 0) + 2.0**-22
