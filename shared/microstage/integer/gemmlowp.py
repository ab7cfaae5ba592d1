"""Fixed-point arithmetic of TensorFlow Lite's reference kernels (gemmlowp/fixedpoint).

Arrays are int64 and hold int32 values.

A number of `bits` integer bits is raw / 2^(31 - bits). Sources: gemmlowp's fixedpoint.h and
tensorflow/lite/kernels/internal/common.h.
"""

from __future__ import annotations

import numpy as np

from microstage.errors import ModelError

__all__ = [
    "LOW",
    "ONE",
    "divided",
    "exp_on_negative",
    "high_product",
    "logistic",
    "one_over_one_plus",
    "scaled",
    "scaled_wide",
    "tanh",
]

LOW, ONE = -(2**31), 2**31 - 1  # the ends of int32; the upper one is what a fraction calls 1
_48_OVER_17, _MINUS_32_OVER_17, _TWO_BITS_ONE = 1515870810, -1010580540, 1 << 29
_EXP_OF_EIGHTH, _THIRD = 1895147668, 715827883
_EXPONENTS = ((-2, 1672461947), (-1, 1302514674), (0, 790015084), (1, 290630308), (2, 39332535), (3, 720401), (4, 242))


def high_product(a, b) -> np.ndarray:
    """Return a b / 2^31 (SaturatingRoundingDoublingHighMul).

    It is rounded half away from zero, towards zero where the product is negative.
    """
    a, b = np.asarray(a, np.int64), np.asarray(b, np.int64)
    nudged = a * b + np.where(a * b >= 0, 1 << 30, 1 - (1 << 30))
    return np.where((a == LOW) & (b == LOW), ONE, np.where(nudged >= 0, nudged >> 31, -(-nudged >> 31)))


def divided(x, exponent) -> np.ndarray:
    """Return x / 2^exponent, rounded half away from zero (RoundingDivideByPOT)."""
    x, exponent = np.asarray(x, np.int64), np.asarray(exponent, np.int64)
    mask = (np.int64(1) << exponent) - 1
    return (x >> exponent) + ((x & mask) > (mask >> 1) + (x < 0))


def scaled(x, multiplier, shift) -> np.ndarray:
    """Return x multiplier 2^(shift - 31), rounded twice (MultiplyByQuantizedMultiplier of 32 bits).

    `ModelError` where int32 overflows.
    """
    shift = np.asarray(shift, np.int64)
    lifted = np.asarray(x, np.int64) << np.maximum(shift, 0)
    if lifted.size and (lifted.min() < LOW or lifted.max() > ONE):
        raise ModelError("a value leaves the 32 bits that TensorFlow Lite multiplies it in")
    return divided(high_product(lifted, multiplier), np.maximum(-shift, 0))


def scaled_wide(x, multiplier, shift) -> np.ndarray:
    """Return the same of 64 bits (MultiplyByQuantizedMultiplier): a multiplier of 15 bits, rounded once, half up."""
    total = 15 - np.asarray(shift, np.int64)
    return (np.asarray(x, np.int64) * reduced(multiplier) + (np.int64(1) << (total - 1))) >> total


def reduced(multiplier) -> np.ndarray:
    """Return the upper 15 bits of a multiplier, as `scaled_wide` takes it."""
    multiplier = np.asarray(multiplier, np.int64)
    return np.where(multiplier < 0x7FFF0000, (multiplier + (1 << 15)) >> 16, 0x7FFF)


def _lifted(x, exponent: int) -> np.ndarray:
    """Return x 2^exponent, held to int32."""
    return np.clip(np.asarray(x, np.int64) << exponent, LOW, ONE)


def exp_on_negative(a, bits: int = 5) -> np.ndarray:
    """Return exp of `a` <= 0 of 5 integer bits or fewer, as a fraction."""
    quarter = 1 << (29 - bits)
    a = np.asarray(a, np.int64)
    rest = (a & (quarter - 1)) - quarter
    remainder, result = rest - a, _exp_on_quarter(_lifted(rest, bits))
    for exponent, multiplier in _EXPONENTS:
        if bits > exponent:
            chosen = remainder & (1 << (31 - bits + exponent))
            result = np.where(chosen != 0, high_product(result, multiplier), result)
    return np.where(a == 0, ONE, result)


def _exp_on_quarter(a) -> np.ndarray:
    """Return exp of a fraction in [-1/4, 0): Taylor's series around -1/8."""
    x = a + (1 << 28)
    x2 = high_product(x, x)
    x3, x4 = high_product(x2, x), high_product(x2, x2)
    rest = divided(high_product(divided(x4, 2) + x3, _THIRD) + x2, 1)
    return _EXP_OF_EIGHTH + high_product(_EXP_OF_EIGHTH, x + rest)


def _inverse(a) -> np.ndarray:
    """Return 2 / (1 + a) of 2 integer bits, of a fraction `a` in [0, 1]: three steps of Newton's."""
    total = np.asarray(a, np.int64) + ONE
    half = np.where(total >= 0, (total + 1) >> 1, -((1 - total) >> 1))
    x = _48_OVER_17 + high_product(half, _MINUS_32_OVER_17)
    for _ in range(3):
        x = x + _lifted(high_product(x, _TWO_BITS_ONE - high_product(half, x)), 2)
    return x


def one_over_one_plus(a) -> np.ndarray:
    """Return 1 / (1 + a) of a fraction in [0, 1]."""
    return _lifted(_inverse(a), 1)


def logistic(a) -> np.ndarray:
    """Return 1 / (1 + exp(-a)) of 4 integer bits, as a fraction."""
    a = np.asarray(a, np.int64)
    positive = one_over_one_plus(exp_on_negative(-np.abs(a), 4))
    return np.where(a == 0, 1 << 30, np.where(a > 0, positive, ONE - positive))


def tanh(a) -> np.ndarray:
    """Return tanh of 4 integer bits, as a fraction."""
    a = np.asarray(a, np.int64)
    size = _lifted(_inverse(exp_on_negative(-np.abs(a), 5)) - _TWO_BITS_ONE, 2)
    return np.where(a == 0, 0, np.where(a < 0, -size, size))
