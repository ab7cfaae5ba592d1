"""Append functions of each value: of 8 bits, a table of what TensorFlow Lite Micro's kernel makes of each integer."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from microstage.errors import ModelError
from microstage.integer import gemmlowp
from microstage_streamline.tflite import rules, sigmoid
from microstage_streamline.tflite.builder import LAST, RAW, REAL, TfliteBuilder
from microstage_streamline.tflite.file import TfliteOperator, TfliteTensor
from microstage_streamline.tflite.rounding import quantised, rescaled

__all__ = ["looked_up"]

Function = Callable[[np.ndarray], np.ndarray]


def looked_up(
    b: TfliteBuilder, place: int, source: str, x: TfliteTensor, layout: str, function: Function, axis: int = 1
) -> None:
    """Append a table of `function` of each integer that `x` can hold: one row, or one for each channel along `axis`."""
    low, high = x.ends
    tensor = b.activation(place)
    rows = np.clip(function(np.arange(low, high + 1)[None]), *tensor.ends)
    stored = b.constant(place, "table", np.atleast_2d(rows).astype(np.int64))
    b.node(
        "TfliteTable" if x.kind.itemsize == 1 else "Table",
        [source, stored],
        b.new(place, RAW, layout),
        low=low,
        axis=axis,
    )


def _unary(b: TfliteBuilder, operator: TfliteOperator, function: Function, real: str, **flags) -> None:
    x, place, layout = b.activation(operator.inputs[0]), operator.outputs[0], b.layout(operator.inputs[0])
    if b.exact:
        looked_up(b, place, b.get(x.place, RAW, layout), x, layout, function)
    else:
        quantised(b, place, b.node(real, [b.get(x.place, REAL, layout)], b.fresh(place, "real"), **flags), layout)


def quantize(b: TfliteBuilder, operator: TfliteOperator) -> None:
    """Append a change to another scale."""
    x, out, layout = b.activation(operator.inputs[0]), b.activation(operator.outputs[0]), b.layout(operator.inputs[0])
    name = b.get(x.place, REAL, layout)
    if b.exact:
        rescaled(b, out.place, name, np.float64(x.scale) / np.float64(out.scale), layout)
    else:
        quantised(b, out.place, name, layout)


def relu(b: TfliteBuilder, operator: TfliteOperator) -> None:
    x, out = b.activation(operator.inputs[0]), b.activation(operator.outputs[0])
    multiplier, shift = rules.ratio(x, out)
    _unary(
        b, operator, lambda v: np.maximum(out.zero + gemmlowp.scaled(v - x.zero, multiplier, shift), out.zero), "Relu"
    )


def relu6(b: TfliteBuilder, operator: TfliteOperator) -> None:
    """Append a clip at the input's scale, whatever the output's is."""
    x, out, layout = b.activation(operator.inputs[0]), b.activation(operator.outputs[0]), b.layout(operator.inputs[0])
    if b.exact:
        six = x.zero + rules.rounded(float(np.float32(6) / x.scale))
        looked_up(b, out.place, b.get(x.place, RAW, layout), x, layout, lambda v: np.clip(v, x.zero, six))
    else:
        quantised(b, out.place, b.get(x.place, REAL, layout), layout, 3)


def leaky_relu(b: TfliteBuilder, operator: TfliteOperator) -> None:
    x, out = b.activation(operator.inputs[0]), b.activation(operator.outputs[0])
    alpha = np.float32(operator.option("alpha", 0.0))
    multiplier, shift = rules.ratio(x, out)
    slope, slope_shift = rules.ratio(x, out, alpha)

    def function(v: np.ndarray) -> np.ndarray:
        d = v - x.zero
        falling = np.sign(slope) * gemmlowp.scaled(d, abs(slope), slope_shift)
        return out.zero + np.where(d >= 0, gemmlowp.scaled(d, multiplier, shift), falling)

    _unary(b, operator, function, "LeakyRelu", alpha=float(alpha))


def prelu(b: TfliteBuilder, operator: TfliteOperator) -> None:
    """Append a line below zero with a slope for each channel, or one for all."""
    x, out, slopes = (
        b.activation(operator.inputs[0]),
        b.activation(operator.outputs[0]),
        b.activation(operator.inputs[1]),
    )
    if slopes.data is None or slopes.data.size not in (1, slopes.shape[-1]):
        raise ModelError(f"its slopes {slopes.name} of shape {list(slopes.shape)} are not one for each channel")
    names = [b.get(x.place, RAW if b.exact else REAL, LAST)]
    if not b.exact:
        quantised(b, out.place, b.node("PRelu", [*names, b.get(slopes.place, REAL, LAST)], b.fresh(out.place, "real")))
        return
    one, other = rules.ratio(x, out), rules.ratio(x, out, slopes.scale)
    rows = slopes.constant.reshape(-1, 1).astype(np.int64) - slopes.zero

    def function(v: np.ndarray) -> np.ndarray:
        d = v - x.zero
        return out.zero + np.where(d >= 0, gemmlowp.scaled(d, *one), gemmlowp.scaled(d * rows, *other))

    looked_up(b, out.place, names[0], x, LAST, function, len(x.shape) - 1)


def absolute(b: TfliteBuilder, operator: TfliteOperator) -> None:
    x, out = b.activation(operator.inputs[0]), b.activation(operator.outputs[0])
    multiplier, shift = rules.ratio(x, out)
    rescale = (lambda v: gemmlowp.scaled(v, multiplier, shift)) if x.scale != out.scale else (lambda v: v)
    _unary(b, operator, lambda v: out.zero + rescale(np.abs(v - x.zero)), "Abs")


def _sigmoid_like(x: TfliteTensor, function: Function, fraction_bits: int) -> Function:
    """Return a fixed-point function of 4 integer bits, as a fraction of so many bits; its ends beyond the range of 4
    bits.
    """
    fraction, shift = np.frexp(np.float64(x.scale) * 2.0**27)
    multiplier, shift = rules.rounded(float(fraction) * 2.0**31), int(shift)
    radius = int(np.floor(15.0 * 2.0**27 / 2.0**shift))

    def values(v: np.ndarray) -> np.ndarray:
        d = v - x.zero
        inside = np.where(np.abs(d) < radius, d, 0)
        found = gemmlowp.divided(function(gemmlowp.scaled(inside, multiplier, shift)), 31 - fraction_bits)
        return np.where(d <= -radius, -(2**30), np.where(d >= radius, 2**30, found))

    return values


def logistic(b: TfliteBuilder, operator: TfliteOperator) -> None:
    x = b.activation(operator.inputs[0])
    of_bytes = _sigmoid_like(x, gemmlowp.logistic, 8)
    _unary(b, operator, (lambda v: of_bytes(v) - 128) if x.kind == np.int8 else sigmoid.logistic_of(x), "Sigmoid")


def tanh(b: TfliteBuilder, operator: TfliteOperator) -> None:
    x = b.activation(operator.inputs[0])
    _unary(b, operator, _sigmoid_like(x, gemmlowp.tanh, 7) if x.kind == np.int8 else sigmoid.tanh_of(x), "Tanh")


def elu(b: TfliteBuilder, operator: TfliteOperator) -> None:
    """Append exp(x) - 1 below zero, in single precision (PopulateLookupTable)."""
    x, out = b.activation(operator.inputs[0]), b.activation(operator.outputs[0])

    def function(v: np.ndarray) -> np.ndarray:
        value = x.scale * (v - x.zero).astype(np.float32)
        scaled = np.where(value < 0, np.exp(value) - np.float32(1), value) * (np.float32(1) / out.scale)
        return out.zero + (np.sign(scaled) * np.floor(np.abs(scaled) + np.float32(0.5))).astype(np.int64)

    _unary(b, operator, function, "Elu")


def extreme(b: TfliteBuilder, operator: TfliteOperator) -> None:
    """Append the larger or the smaller of integers at one scale."""
    terms, out = [b.activation(place) for place in operator.inputs], b.activation(operator.outputs[0])
    if b.exact and any((term.scale, term.zero) != (out.scale, out.zero) for term in terms):
        raise ModelError("compares integers at other scales than its output's")
    alike = all(term.shape == out.shape and term.data is None for term in terms)
    layout = b.layout(*operator.inputs) if alike else LAST
    kind = {"MAXIMUM": "Max", "MINIMUM": "Min"}[operator.kind]
    found = b.node(kind, [b.get(term.place, REAL, layout) for term in terms], b.fresh(out.place, "extreme"))
    quantised(b, out.place, found, layout)


def hard_swish(b: TfliteBuilder, operator: TfliteOperator) -> None:
    """Append x relu6(x + 3) / 6 in 16 bits (reference/hard_swish.h)."""
    x, out = b.activation(operator.inputs[0]), b.activation(operator.outputs[0])
    fine = np.float64(x.scale) / 128
    (to_output, shift), (to_three, lift) = (
        rules.multiplier(float(fine / scale)) for scale in (np.float64(out.scale), 3 / 32768)
    )
    to_output, to_three = (min(factor + (1 << 15) >> 16, 2**15 - 1) for factor in (to_output, to_three))
    if shift > 0:
        raise ModelError(f"its output's scale {out.scale:g} is too fine for its input's {x.scale:g}")

    def function(v: np.ndarray) -> np.ndarray:
        lifted = (v - x.zero) << 7
        value, share = _high_product_16(lifted, to_output), lifted
        share = np.clip(share << max(lift - 1, 0), -(2**15), 2**15 - 1)
        share = _high_product_16(share, to_three)
        share = np.clip(share << 1, -(2**15), 2**15 - 1) if lift > 0 else gemmlowp.divided(share, -lift)
        product = (share + (1 << 15) >> 1) * value
        return out.zero + gemmlowp.divided(np.where(product >= 0, product >> 15, -(-product >> 15)), -shift)

    _unary(b, operator, function, "HardSwish")


def _high_product_16(a: np.ndarray, factor: int) -> np.ndarray:
    """Return a factor / 2^15, rounded: SaturatingRoundingDoublingHighMul of 16 bits."""
    product = np.asarray(a, np.int64) * factor
    nudged = product + np.where(product >= 0, 1 << 14, 1 - (1 << 14))
    return np.where(nudged >= 0, nudged >> 15, -(-nudged >> 15))


def softmax(b: TfliteBuilder, operator: TfliteOperator) -> None:
    """Append a softmax over the last axis, in fixed point of 5 integer bits."""
    x, out = b.activation(operator.inputs[0]), b.activation(operator.outputs[0])
    if not b.exact:
        quantised(b, out.place, b.node("Softmax", [b.get(x.place, REAL)], b.fresh(out.place, "real"), axis=-1))
        return
    if x.kind != np.int8 or out.kind != np.int8:
        raise ModelError(f"is a softmax from {x.type} to {out.type}; expected INT8")
    beta = np.float64(np.float32(operator.option("beta", 1.0)))
    multiplier, shift = rules.multiplier(min(float(beta * np.float64(x.scale) * 2.0**26), 2.0**31 - 1))
    radius = int(np.floor(31.0 * 2.0**26 / 2.0**shift))
    flags = {"input_multiplier": multiplier, "input_left_shift": shift, "diff_min": -radius}
    b.node("IntegerSoftmax", [b.get(x.place, RAW)], b.new(out.place, RAW), **flags)
