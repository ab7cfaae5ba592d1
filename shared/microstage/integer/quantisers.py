"""From real numbers to integers and back: the only places where rounding happens."""

from __future__ import annotations

import numpy as np

from microstage.errors import ModelError
from microstage.integer.registry import Kind, OperatorTable, everywhere, positive_scale
from microstage.integer.tensor import QTensor, real
from microstage.untrusted.limits import MOST_BITS

TABLE = OperatorTable()

_FRACTION_BITS = 8  # of a zero point between levels
_ROUNDINGS = {
    "ROUND": np.rint,  # half to even
    "HALF_EVEN": np.rint,
    "HALF_UP": lambda x: np.sign(x) * np.floor(np.abs(x) + 0.5),  # away from zero, as qonnx has it
    "HALF_DOWN": lambda x: np.sign(x) * np.ceil(np.abs(x) - 0.5),
    "UP": lambda x: np.sign(x) * np.ceil(np.abs(x)),
    "DOWN": np.fix,
    "FLOOR": np.floor,
    "CEIL": np.ceil,
}


def quantise(value, scale, zero_point, low: int, high: int, rounding: str = "ROUND") -> np.ndarray:
    """Return clip(round(value / scale) + zero point, low, high), int64.

    Division, rounding and clip come in this order, in float64.
    """
    return np.clip(rounded(_quotient(value, scale), rounding) + zero_point, low, high).astype(np.int64)


def rounded(quotient: np.ndarray, rounding: str) -> np.ndarray:
    """Return `quotient` as whole numbers, by one of qonnx's rounding modes."""
    if rounding.upper() not in _ROUNDINGS:
        raise ModelError(f"rounding {rounding} is not known; expected one of {', '.join(_ROUNDINGS)}")
    return _ROUNDINGS[rounding.upper()](quotient)


def _quotient(value, scale, zero_point=0) -> np.ndarray:
    """Return value / scale + zero point, each rounded to the value's own float type.

    That is the type of the file for what it stores or is given, as those who wrote it had it; it is float64 for what is
    computed of integers.
    """
    if np.any(np.asarray(scale) == 0):
        raise ModelError("has a scale of 0, which is no step from level to level")
    value = value if isinstance(value, np.ndarray) and value.dtype.kind == "f" else real(value)
    quotient = (value / np.asarray(scale, value.dtype) + np.asarray(zero_point, value.dtype)).astype(np.float64)
    if np.isnan(quotient).any():
        raise ModelError("a value that is no number reaches a quantiser")
    return quotient


def _along(parameter, axis: int, rank: int) -> np.ndarray:
    parameter = np.asarray(parameter)
    if parameter.size == 1:
        return parameter.reshape(())
    shape = [1] * rank
    shape[axis] = parameter.size
    return parameter.reshape(shape)


def _along_its_axis(attributes, shape, rank: int) -> set[int]:
    return {attributes.get("axis", 1) % rank}


_TYPES = {  # by ONNX's numbers: (the NumPy type that holds it, its lowest and highest integer)
    2: (np.uint8, 0, 255),
    3: (np.int8, -128, 127),
    4: (np.uint16, 0, 2**16 - 1),
    5: (np.int16, -(2**15), 2**15 - 1),
    21: (np.uint8, 0, 15),
    22: (np.int8, -8, 7),
    25: (np.uint8, 0, 3),
    26: (np.int8, -2, 1),
}


def _type(zero_point, attributes) -> tuple[type, int, int]:
    """Return what a quantiser's attribute says, or else its zero point's type."""
    said = attributes.get("output_dtype", 0)
    if said and said not in _TYPES:
        raise ModelError(f"quantises to ONNX type {said}; expected integers of at most 16 bits")
    if said:
        return _TYPES[said]
    info = np.iinfo(zero_point.dtype)
    return zero_point.dtype, info.min, info.max


@TABLE.entry("QuantizeLinear", kind=Kind.MONOTONE, axes=_along_its_axis, rises=positive_scale)
def quantize_linear(arguments, attributes):
    value, scale, *zero = arguments
    zero_point = zero[0] if zero else np.uint8(0)
    (kind, low, high), rank = _type(zero_point, attributes), len(value.shape)
    axis = attributes.get("axis", 1)
    scale, shift = _along(scale, axis, rank).astype(np.float64), _along(zero_point, axis, rank).astype(np.int64)
    return quantise(value, scale, shift, low, high).astype(kind)


@TABLE.entry("DequantizeLinear", kind=Kind.MONOTONE, axes=_along_its_axis, rises=positive_scale)
def dequantize_linear(arguments, attributes):
    value, scale, *zero = arguments
    rank, axis = np.ndim(value), attributes.get("axis", 1)
    ints = value.astype(np.int64)
    if attributes.get("block_size", 0):
        return _in_blocks(ints, scale, zero[0] if zero else np.zeros_like(scale), axis % rank, attributes["block_size"])
    if zero:
        ints = ints - _along(zero[0], axis, rank).astype(np.int64)
    return QTensor(ints, _along(scale, axis, rank).astype(np.float64))


def _in_blocks(ints, scale, zero_point, axis: int, size: int) -> QTensor:
    """Return integers whose scale differs along `axis` too, every `size` places.

    They are whole multiples of a step that all blocks share.
    """
    step, times = shared_step(np.asarray(scale, np.float64), (axis,))
    whole = (slice(None),) * axis + (slice(0, ints.shape[axis]),)
    times, shift = (np.repeat(np.asarray(value, np.int64), size, axis)[whole] for value in (times, zero_point))
    return QTensor((ints - shift) * times, step)


def shared_step(scale: np.ndarray, axes: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Return (step, times) of positive scales: step * times = scale exactly.

    Times are whole, and have no common divisor along `axes`.
    """
    least = np.min(np.frexp(scale)[1], axes, keepdims=True) - 53
    whole = np.ldexp(scale, -least)
    if np.any(whole >= 2.0**62):
        raise ModelError("blocks whose scales are more than 2^8 apart; export the weights with scales of channels")
    whole = whole.astype(np.int64)
    shared = whole
    for axis in axes:
        shared = np.gcd.reduce(shared, axis, keepdims=True)
    times = whole // shared
    if np.any(times >= 2**31):
        raise ModelError("blocks whose scales share no step of 31 bits; export the weights with scales of channels")
    return np.ldexp(shared.astype(np.float64), least), times


@TABLE.entry("Quant", kind=Kind.MONOTONE, rises=positive_scale)
def quant(arguments, attributes):
    """Return scale * (level - zero point), as qonnx has it."""
    return less_zero_point([quant_levels(arguments, attributes), *arguments[1:3]], {})


@TABLE.entry("QuantLevels", kind=Kind.MONOTONE, rises=positive_scale)
def quant_levels(arguments, attributes):
    """Return the levels of Quant, int64; one signed bit is -1 or 1.

    Quant rounds behind the zero point; QuantizeLinear adds it to what is rounded.
    """
    value, scale, zero_point, width = (np.asarray(a) if not isinstance(a, QTensor) else a for a in arguments)
    bits, signed, narrow = bits_of(width), attributes["signed"], bool(attributes["narrow"])
    shifted = _quotient(value, scale, zero_point)
    if bits == 1 and signed:
        return np.where(shifted >= 0, 1, -1)
    low = -(2 ** (bits - 1)) + narrow if signed else 0
    high = 2 ** (bits - 1) - 1 if signed else 2**bits - 1 - narrow
    return np.clip(rounded(shifted, attributes.get("rounding_mode", "ROUND")), low, high).astype(np.int64)


def bits_of(width: np.ndarray) -> int:
    """Return the one whole number of bits that a quantiser has."""
    found = real(width).reshape(-1)
    if found.size != 1 or not (1 <= found[0] <= MOST_BITS and found[0].is_integer()):
        said = f"{found.size} widths" if found.size != 1 else f"a width of {found[0]:g} bits"
        raise ModelError(f"has {said}; expected one whole number of bits, 1 to {MOST_BITS}")
    return int(found[0])


@TABLE.entry("LessZeroPoint", kind=Kind.MONOTONE, rises=positive_scale)
def less_zero_point(arguments, _):
    """Return scale * (level - zero point).

    A zero point between levels, k / 2^n, makes integers of 2^n level - k at the scale / 2^n.
    """
    levels, scale, zero_point = (np.asarray(a) for a in arguments)
    times = next((2**n for n in range(_FRACTION_BITS + 1) if np.all(zero_point * 2.0**n % 1 == 0)), None)
    if times is None:
        raise ModelError(f"a zero point is no multiple of 1/{2**_FRACTION_BITS}; export it with a whole zero point")
    return QTensor(
        levels * times - np.rint(zero_point * np.float64(times)).astype(np.int64), np.asarray(scale, np.float64) / times
    )


@TABLE.entry("BipolarQuant", kind=Kind.MONOTONE, rises=positive_scale)
def bipolar_quant(arguments, _):
    value, scale = arguments
    return QTensor(np.where(real(value) >= 0, 1, -1).astype(np.int64), np.asarray(scale, np.float64))


@TABLE.entry("Clip", kind=Kind.MONOTONE, rises=everywhere)
def clip(arguments, attributes):
    """Hold values between two ends, inputs or attributes, either of which may be absent.

    Whole numbers that whole numbers hold stay whole.
    """
    value, low, high = (*arguments, None, None)[:3]
    low = attributes.get("min", -np.inf) if low is None else real(low) if isinstance(low, QTensor) else low
    high = attributes.get("max", np.inf) if high is None else real(high) if isinstance(high, QTensor) else high
    if (
        isinstance(value, QTensor)
        and np.all(np.asarray(value.scale) == 1)
        and all(np.rint(end) == end for end in (low, high))
    ):
        return QTensor(np.clip(value.ints, low, high).astype(np.int64), value.scale)
    return np.clip(real(value) if isinstance(value, QTensor) else value, low, high)


def _along_channels(attributes, shape, rank: int) -> set[int]:
    last = attributes.get("data_layout", "NCHW") in (b"NHWC", b"NWC", "NHWC", "NWC")
    return set() if shape[0] == 1 else {rank - 1 if last else 1}


@TABLE.entry("MultiThreshold", kind=Kind.MONOTONE, axes=_along_channels)
def multi_threshold(arguments, attributes):
    """Return out_scale * count(x >= threshold) + out_bias.

    Channels are axis 1, or the last one in NHWC and NWC layouts.
    """
    value, thresholds = arguments
    x = real(value) if isinstance(value, QTensor) else np.asarray(value)
    last = attributes.get("data_layout", "NCHW") in ("NHWC", "NWC")
    axis = x.ndim - 1 if last or x.ndim < 2 else 1
    moved = np.moveaxis(x, axis, -1)
    table = np.broadcast_to(np.sort(thresholds, axis=1), (moved.shape[-1], thresholds.shape[1]))
    counts = np.empty(moved.shape, np.int64)
    for channel in range(moved.shape[-1]):
        counts[..., channel] = np.searchsorted(table[channel], moved[..., channel], side="right")
    scale, bias = attributes.get("out_scale", 1.0), attributes.get("out_bias", 0.0)
    if scale != int(scale) or bias != int(bias):
        return np.moveaxis(counts * scale + bias, -1, axis)
    return np.moveaxis(counts * int(scale) + int(bias), -1, axis)


@TABLE.entry("Rescale", kind=Kind.MONOTONE, rises=positive_scale, straight=True)
def rescale(arguments, _):
    """Return value * factor: of what is quantised, the same integers at another scale."""
    value, factor = arguments
    if isinstance(value, np.ndarray) and value.dtype.kind == "f":  # what float32 made of them, as rounding bounds ask
        return value * factor
    scaled = np.asarray(value.scale if isinstance(value, QTensor) else 1.0) * np.asarray(factor, np.float64)
    return QTensor(np.asarray(value.ints if isinstance(value, QTensor) else value, np.int64), scaled)
