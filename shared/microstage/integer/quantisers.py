"""From real numbers to integers and back: the only places where rounding happens."""

from __future__ import annotations

import numpy as np

from microstage.errors import ModelError
from microstage.integer.interpreter import operator
from microstage.integer.tensor import QTensor, real

_ROUNDINGS = {
    "ROUND": np.rint,  # half to even
    "HALF_EVEN": np.rint,
    "HALF_UP": lambda x: np.floor(x + 0.5),
    "FLOOR": np.floor,
    "CEIL": np.ceil,
}


def quantise(value, scale, zero_point, low: int, high: int, rounding: str = "ROUND") -> np.ndarray:
    """clip(round(value / scale) + zero point, low, high), int64: division, rounding and clip in this order, in float64."""
    if rounding.upper() not in _ROUNDINGS:
        raise ModelError(f"rounding {rounding} is not known; expected one of {', '.join(_ROUNDINGS)}")
    quotient = real(value) / np.asarray(scale, np.float64)
    if not np.isfinite(quotient).all():
        raise ModelError("a value that is not finite reaches a quantiser")
    return np.clip(_ROUNDINGS[rounding.upper()](quotient) + zero_point, low, high).astype(np.int64)


def _along(parameter, axis: int, rank: int) -> np.ndarray:
    parameter = np.asarray(parameter)
    if parameter.size == 1:
        return parameter.reshape(())
    shape = [1] * rank
    shape[axis] = parameter.size
    return parameter.reshape(shape)


@operator("QuantizeLinear")
def quantize_linear(arguments, attributes):
    value, scale, *zero = arguments
    zero_point = zero[0] if zero else np.uint8(0)
    info, rank = np.iinfo(zero_point.dtype), len(value.shape)
    axis = attributes.get("axis", 1)
    scale, shift = _along(scale, axis, rank).astype(np.float64), _along(zero_point, axis, rank).astype(np.int64)
    return quantise(value, scale, shift, info.min, info.max).astype(zero_point.dtype)


@operator("DequantizeLinear")
def dequantize_linear(arguments, attributes):
    value, scale, *zero = arguments
    rank, axis = np.ndim(value), attributes.get("axis", 1)
    ints = value.astype(np.int64)
    if zero:
        ints = ints - _along(zero[0], axis, rank).astype(np.int64)
    return QTensor(ints, _along(scale, axis, rank).astype(np.float64))


@operator("Quant")
def quant(arguments, attributes):
    value, scale, zero_point, width = (np.asarray(a) if not isinstance(a, QTensor) else a for a in arguments)
    bits, signed, narrow = int(width), attributes["signed"], attributes["narrow"]
    low = -(2 ** (bits - 1)) + narrow if signed else 0
    high = 2 ** (bits - 1) - 1 if signed else 2**bits - 1 - narrow
    shift = zero_point.astype(np.int64)
    ints = quantise(value, scale, shift, low, high, attributes.get("rounding_mode", "ROUND"))
    return QTensor(ints - shift, np.asarray(scale, np.float64))


@operator("BipolarQuant")
def bipolar_quant(arguments, _):
    value, scale = arguments
    return QTensor(np.where(real(value) >= 0, 1, -1).astype(np.int64), np.asarray(scale, np.float64))


@operator("Clip")
def clip(arguments, _):
    value, low, high = (*arguments, None, None)[:3]
    if isinstance(value, QTensor):
        value = real(value)
    low = -np.inf if low is None else low
    high = np.inf if high is None else high
    return np.clip(value, low, high)


@operator("MultiThreshold")
def multi_threshold(arguments, attributes):
    """out_scale * count(x >= threshold) + out_bias; channels are axis 1, or the last one in NHWC and NWC layouts."""
    value, thresholds = arguments
    x = real(value) if isinstance(value, QTensor) else np.asarray(value)
    last = attributes.get("data_layout", "NCHW") in ("NHWC", "NWC")
    axis = x.ndim - 1 if last or x.ndim < 2 else 1
    moved = np.moveaxis(x, axis, -1)
    table = np.broadcast_to(thresholds, (moved.shape[-1], thresholds.shape[1]))
    counts = np.empty(moved.shape, np.int64)
    for channel in range(moved.shape[-1]):
        counts[..., channel] = np.searchsorted(table[channel], moved[..., channel], side="right")
    scale, bias = attributes.get("out_scale", 1.0), attributes.get("out_bias", 0.0)
    if scale != int(scale) or bias != int(bias):
        return np.moveaxis(counts * scale + bias, -1, axis)
    return np.moveaxis(counts * int(scale) + int(bias), -1, axis)
