"""Block floating point: a power-of-two gain per window, exact in every later stage and a shift in hardware."""

from __future__ import annotations

import numpy as np

from microstage.errors import DatasetError

__all__ = ["EXPONENTS", "LARGEST", "WINDOW_SCALE", "block_float"]

WINDOW_SCALE = 2.0**-7
LARGEST = 127
EXPONENTS = (-60, 60)  # 10^-18 to 10^18 A or V: float32 holds every product of these, and int8 the exponents


def block_float(x: np.ndarray, exponents: tuple[int, int] = EXPONENTS) -> tuple[np.ndarray, np.ndarray]:
    """(integers int8 [n, N] in -127..127, exponent int8 [n]) of `x` [n, N]: x is about integers * 2^-7 * 2^exponent.

    The exponent is the smallest of `exponents` with max|x| <= 2^exponent, so that a window below the lowest keeps the
    lowest one's resolution; rounding is half to even. A window that is not finite, or beyond the highest, is a
    `DatasetError`.
    """
    peak = np.abs(x).max(axis=-1)
    if not np.isfinite(peak).all():
        raise DatasetError(f"Window {int(np.argmin(np.isfinite(peak)))} holds a sample that is not a number.")
    low, high = exponents
    if (peak > 2.0**high).any():
        window = int(np.argmax(peak > 2.0**high))
        raise DatasetError(
            f"Window {window} reaches {peak[window]:.4g}; expected at most 2^{high} = {2.0**high:.4g}, the largest gain:"
            " are the unit and the scale of the recording right?"
        )
    mantissa, exponent = np.frexp(peak)
    exponent = np.where(mantissa == 0.5, exponent - 1, exponent)  # a power of two needs no higher exponent
    exponent = np.where(peak == 0, low, np.maximum(exponent, low))
    scaled = np.ldexp(np.asarray(x, dtype=np.float64), 7 - exponent[..., None])
    return np.clip(np.rint(scaled), -LARGEST, LARGEST).astype(np.int8), exponent.astype(np.int8)
