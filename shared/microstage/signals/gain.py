"""Block floating point: a power-of-two gain per window, exact in every later stage and a shift in hardware."""

from __future__ import annotations

import math

import numpy as np

from microstage.errors import DatasetError

__all__ = ["EXPONENTS", "LARGEST", "WINDOW_SCALE", "bits_at", "block_float", "largest", "window_scale"]

EXPONENTS = (-60, 60)  # 10^-18 to 10^18 A or V: float32 holds every product of these, and int8 the exponents


def window_scale(bits: int) -> float:
    """Return what one integer of a window of `bits` is worth, over the gain."""
    return 2.0 ** (1 - bits)


def largest(bits: int) -> int:
    """Return the largest integer of a window of `bits`."""
    return 2 ** (bits - 1) - 1


def bits_at(scale: float) -> int:
    """Return the bits of a window whose integers have `scale`, as `window_scale` gives it."""
    return 1 - round(math.log2(scale))


WINDOW_SCALE, LARGEST = window_scale(8), largest(8)


def block_float(x: np.ndarray, exponents: tuple[int, int] = EXPONENTS, bits: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """Return (integers [..., N], exponent int8 [...]) of windows `x` [..., N].

    x is about integers * 2^(1 - bits) * 2^exponent.

    The integers are int8 where they have at most 8 `bits`, else int16, and as large below zero as above.

    The exponent is the smallest of `exponents` with max|x| <= 2^exponent, so that a window below the lowest keeps the
    lowest one's resolution; rounding is half to even. A window that is not finite, or beyond the highest, is a
    `DatasetError`.
    """
    peak = np.abs(x).max(axis=-1)
    every = peak.reshape(-1)
    if not np.isfinite(peak).all():
        raise DatasetError(f"Window {int(np.argmin(np.isfinite(every)))} holds a sample that is not a number.")
    low, high = exponents
    if (peak > 2.0**high).any():
        window = int(np.argmax(every > 2.0**high))
        raise DatasetError(
            f"Window {window} reaches {every[window]:.4g}; expected at most 2^{high} = {2.0**high:.4g}, the "
            "largest gain:"
            " are the unit and the scale of the recording right?"
        )
    mantissa, exponent = np.frexp(peak)
    exponent = np.where(mantissa == 0.5, exponent - 1, exponent)  # a power of two needs no higher exponent
    exponent = np.where(peak == 0, low, np.maximum(exponent, low))
    scaled = np.ldexp(np.asarray(x, dtype=np.float64), bits - 1 - exponent[..., None])
    held = np.clip(np.rint(scaled), -largest(bits), largest(bits))
    return held.astype(np.int8 if bits <= 8 else np.int16), exponent.astype(np.int8)
