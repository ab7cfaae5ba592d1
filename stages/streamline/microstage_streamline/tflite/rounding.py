"""Append what brings an accumulator, or real numbers, to a tensor of the file: where the two ways of rounding part."""

from __future__ import annotations

from typing import Any

import numpy as np

from microstage.integer.gemmlowp import reduced
from microstage_streamline.tflite.builder import LAST, RAW, TfliteBuilder
from microstage_streamline.tflite.rules import clamped, multipliers, real_ends, shared

__all__ = ["line", "quantised", "rescaled", "rounded_twice"]


def quantised(b: TfliteBuilder, place: int, real: str, layout: str = LAST, activation: int = 0) -> None:
    """Append a quantiser of real numbers, cut off by a fused activation and rounded half to even."""
    low, high = real_ends(activation)
    if (low, high) == (0.0, None):
        real = b.node("Relu", [real], b.fresh(place, "activated"))
    elif low is not None:
        ends = [b.constant(place, name, np.float32(end)) for name, end in (("low", low), ("high", high))]
        real = b.node("Clip", [real, *ends], b.fresh(place, "activated"))
    b.node("QuantizeLinear", [real, *b.quantiser(place)], b.new(place, RAW, layout))


def rescaled(
    b: TfliteBuilder,
    place: int,
    accumulator: str,
    factors: np.ndarray,
    layout: str = LAST,
    axis: int = 1,
    activation: int = 0,
    wide: bool = False, count: int = 1,
) -> None:  # fmt: skip
    """Append integers times `factors`, one or one for each place along `axis`, as the kernels round them.

    `wide`: in 64 bits; `count`: of the sum of so many values, their mean.
    """
    tensor = b.activation(place)
    low, high = clamped(tensor, activation)
    multiplier, shift = shared(*multipliers(factors), count)
    if wide:
        numbers = reduced(multiplier), np.int64(1) << (14 - shift), 15 - shift
        line(b, accumulator, *numbers, b.new(place, RAW, layout), (low, high), axis)
    elif tensor.kind == np.int16:
        rounded_twice(b, place, accumulator, multiplier, shift, b.new(place, RAW, layout), (low, high), axis)
    else:
        stored = [b.constant(place, "multiplier", multiplier), b.constant(place, "shift", shift)]
        flags = {"axis": axis, "zero_point": tensor.zero, "low": low, "high": high}
        b.node("TfliteRequantize", [accumulator, *stored], b.new(place, RAW, layout), **flags)


def line(
    b: TfliteBuilder, x: str, multiplier: Any, addend: Any, shift: Any, name: str, ends: tuple[int, int], axis: int = 1
) -> str:
    """Append clip((x multiplier + addend) >> shift, ends): one number or one for each place along `axis`."""
    stored = [f"{name}.{what}" for what in ("multiplier", "addend", "shift")]
    b.constants |= {
        to: np.asarray(value, np.int64).reshape(-1) for to, value in zip(stored, (multiplier, addend, shift))
    }
    return b.node("Requantize", [x, *stored], name, axis=axis, low=ends[0], high=ends[1])


def rounded_twice(
    b: TfliteBuilder, place: int, x: str, multiplier: Any, shift: Any, name: str, ends: tuple[int, int], axis: int = 1
) -> str:
    """Append MultiplyByQuantizedMultiplier of 32 bits as lines, for more levels than thresholds.

    h = (x m + 2^30) >> 31, where m takes a shift to the left with it; then (h + 2^(s - 1) + (h >> 31)) >> s, as halves
    go away from zero.
    """
    multiplier, shift = np.asarray(multiplier, np.int64), np.asarray(shift, np.int64)
    right, lifted = np.maximum(-shift, 0), multiplier << np.maximum(shift, 0)
    if not right.any():
        return line(b, x, lifted, 1 << 30, 31, name, ends, axis)
    high = line(b, x, lifted, 1 << 30, 31, b.fresh(place, "high"), (-(2**31), 2**31 - 1), axis)
    below = line(b, high, 1, 0, 31, b.fresh(place, "below"), (-1, 0))
    total = b.node("Add", [high, below], b.fresh(place, "total"))
    return line(b, total, 1, np.where(right > 0, np.int64(1) << np.maximum(right - 1, 0), 0), right, name, ends, axis)
