"""From an accumulator, or real numbers, to a tensor of the file: where the two ways of rounding part."""

from __future__ import annotations

import numpy as np

from microstage.errors import ModelError
from microstage.integer.gemmlowp import reduced
from microstage_streamline.tflite.builder import LAST, RAW, Builder
from microstage_streamline.tflite.rules import clamped, multipliers, real_ends, shared

__all__ = ["quantised", "rescaled"]


def quantised(b: Builder, place: int, real: str, layout: str = LAST, activation: int = 0) -> None:
    """Real numbers, cut off by a fused activation and rounded half to even."""
    tensor, (low, high) = b.activation(place), real_ends(activation)
    if (low, high) == (0.0, None):
        real = b.node("Relu", [real], b.fresh(place, "activated"))
    elif low is not None:
        ends = [b.constant(place, name, np.float32(end)) for name, end in (("low", low), ("high", high))]
        real = b.node("Clip", [real, *ends], b.fresh(place, "activated"))
    scale, zero = b.constant(place, "scale", tensor.scale), b.constant(place, "zero", tensor.kind.type(tensor.zero))
    b.node("QuantizeLinear", [real, scale, zero], b.new(place, RAW, layout))


def rescaled(
    b: Builder, place: int, accumulator: str, factors: np.ndarray, layout: str = LAST, axis: int = 1, activation: int = 0,
    wide: bool = False, count: int = 1,
) -> None:  # fmt: skip
    """Integers times `factors`, one or one for each place along `axis`, as the kernels round them; `wide`: in 64 bits; of the sum of
    `count` values, their mean."""
    tensor = b.activation(place)
    low, high = clamped(tensor, activation)
    multiplier, shift = shared(*multipliers(factors), count)
    if wide:
        _in_one(b, place, accumulator, multiplier, shift, layout, {"axis": axis, "low": low, "high": high})
        return
    if tensor.kind == np.int16:
        raise ModelError("rounds 16 bits twice, which has no form here")
    stored = [b.constant(place, "multiplier", multiplier), b.constant(place, "shift", shift)]
    flags = {"axis": axis, "zero_point": tensor.zero, "low": low, "high": high}
    b.node("TfliteRequantize", [accumulator, *stored], b.new(place, RAW, layout), **flags)


def _in_one(b: Builder, place: int, accumulator: str, multiplier: np.ndarray, shift: np.ndarray, layout: str, flags: dict) -> None:
    """(x m + 2^(s - 1)) >> s with m of 15 bits and s = 15 - shift: MultiplyByQuantizedMultiplier of 64 bits."""
    numbers = {"multiplier": reduced(multiplier), "addend": np.int64(1) << (14 - shift), "shift": 15 - shift}
    stored = [b.constant(place, name, np.asarray(value, np.int64)) for name, value in numbers.items()]
    b.node("Requantize", [accumulator, *stored], b.new(place, RAW, layout), **flags)
