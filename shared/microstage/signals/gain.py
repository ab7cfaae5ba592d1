"""Block floating point: a power-of-two gain per window, exact in every later stage and a shift in hardware."""

from __future__ import annotations

import numpy as np

from microstage.errors import DatasetError

__all__ = ["EXPONENTS", "LARGEST", "WINDOW_SCALE", "block_float"]

WINDOW_SCALE = 2.0**-7
LARGEST = 127
EXPONENTS = (-16, 15)


def block_float(x: np.ndarray, exponents: tuple[int, int] = EXPONENTS) -> tuple[np.ndarray, np.ndarray]:
    """(integers int8 [n, N] in -127..127, exponent int8 [n]) of `x` [n, N]: x is about integers * 2^-7 * 2^exponent.

    The exponent is the smallest with max|x| <= 2^exponent, held to `exponents`, by default -16..15; rounding is half to even. A
    window that is not finite is a `DatasetError`.
    """
    peak = np.abs(x).max(axis=-1)
    if not np.isfinite(peak).all():
        raise DatasetError(f"Window {int(np.argmin(np.isfinite(peak)))} holds a sample that is not a number.")
    mantissa, exponent = np.frexp(peak)
    exponent = np.where(mantissa == 0.5, exponent - 1, exponent)  # a power of two needs no higher exponent
    exponent = np.clip(np.where(peak == 0, exponents[0], exponent), *exponents)
    scaled = np.ldexp(np.asarray(x, dtype=np.float64), 7 - exponent[..., None])
    return np.clip(np.rint(scaled), -LARGEST, LARGEST).astype(np.int8), exponent.astype(np.int8)
