"""Append pools, and sums and means over axes."""

from __future__ import annotations

import numpy as np

from microstage.errors import ModelError
from microstage_streamline.tflite.builder import FIRST, LAST, RAW, REAL, TfliteBuilder
from microstage_streamline.tflite.file import TfliteOperator, TfliteTensor
from microstage_streamline.tflite.functions import looked_up
from microstage_streamline.tflite.geometry import pads_of
from microstage_streamline.tflite.rounding import quantised, rescaled
from microstage_streamline.tflite.rules import clamped


def _window(b: TfliteBuilder, operator: TfliteOperator) -> tuple[TfliteTensor, TfliteTensor, dict]:
    x, out, option = b.activation(operator.inputs[0]), b.activation(operator.outputs[0]), operator.option
    kernel, strides = [option("filterHeight"), option("filterWidth")], [option("strideH"), option("strideW")]
    pads = pads_of(option("padding"), x.shape[1:3], kernel, strides, [1, 1])
    if b.exact and (x.zero != out.zero or abs(x.scale - out.scale) > 1e-6):
        raise ModelError("has an output at another scale than its input")
    return x, out, {"kernel_shape": kernel, "strides": strides, "pads": pads}


def max_pool(b: TfliteBuilder, operator: TfliteOperator) -> None:
    """Append the largest of each window: of integers, at the scale of the input."""
    x, out, flags = _window(b, operator)
    low, high = clamped(out, operator.option("fusedActivationFunction"))
    if (low, high) == out.ends and b.exact:
        b.node("MaxPool", [b.get(x.place, REAL, FIRST)], b.new(out.place, REAL, FIRST), **flags)
        return
    pooled = b.node("MaxPool", [b.get(x.place, RAW if b.exact else REAL, FIRST)], b.fresh(out.place, "pooled"), **flags)
    if b.exact:
        looked_up(b, out.place, pooled, x, FIRST, lambda value: np.clip(value, low, high))
    else:
        quantised(b, out.place, pooled, FIRST, operator.option("fusedActivationFunction"))


def average_pool(b: TfliteBuilder, operator: TfliteOperator) -> None:
    """Append the sum of a window by how many of its places lie in the image, rounded half away from zero."""
    x, out, flags = _window(b, operator)
    name, activation = b.get(x.place, REAL, FIRST), operator.option("fusedActivationFunction")
    if not b.exact:
        quantised(
            b, out.place, b.node("AveragePool", [name], b.fresh(out.place, "average"), **flags), FIRST, activation
        )
        return
    total = _summed(b, out.place, name, x, flags)
    counts = _counts(x.shape[1:3], flags)
    count = int(np.lcm.reduce(np.unique(counts)))
    if counts.min() != counts.max():
        stored = b.weights(out.place, (count // counts)[None, None], np.ones(1), 0, np.dtype(np.int32))
        total = b.node("Mul", [total, stored], b.fresh(out.place, "weighted"))
    low, high = clamped(out, activation)
    b.node("TfliteAverage", [total], b.new(out.place, RAW, FIRST), count=count, zero_point=x.zero, low=low, high=high)


def _summed(b: TfliteBuilder, place: int, name: str, x: TfliteTensor, flags: dict) -> str:
    """Append the sum of each window of each channel: a convolution with ones."""
    ones = b.weights(
        place, np.ones((x.shape[3], 1, *flags["kernel_shape"]), np.int64), np.ones(1), 0, np.dtype(np.int8)
    )
    return b.node("Conv", [name, ones], b.fresh(place, "sum"), **flags, group=x.shape[3])


def _counts(image: tuple[int, ...], flags: dict) -> np.ndarray:
    """Return how many places of each window lie in the image, [height, width]."""
    sides = []
    for axis, size in enumerate(image):
        taps, stride, before = flags["kernel_shape"][axis], flags["strides"][axis], flags["pads"][axis]
        starts = np.arange((size + before + flags["pads"][axis + 2] - taps) // stride + 1) * stride - before
        sides.append(np.minimum(starts + taps, size) - np.maximum(starts, 0))
    return np.multiply.outer(*sides)


def reduce_max(b: TfliteBuilder, operator: TfliteOperator) -> None:
    """Append the largest over axes: integers at the scale of the input."""
    x, out = b.activation(operator.inputs[0]), b.activation(operator.outputs[0])
    if b.exact and (x.scale, x.zero) != (out.scale, out.zero):
        raise ModelError("has an output at another scale than its input")
    axes = b.constant(out.place, "axes", b.required(operator, 1).astype(np.int64).reshape(-1))
    name = b.new(out.place, REAL) if b.exact else b.fresh(out.place, "reduced")
    b.node("ReduceMax", [b.get(x.place, REAL, LAST), axes], name, keepdims=int(bool(operator.option("keepDims"))))
    if not b.exact:
        quantised(b, out.place, name)


def reduce(b: TfliteBuilder, operator: TfliteOperator) -> None:
    """Append a sum over axes, rescaled; of a mean, the multiplier is divided by their size (QuantizedMeanOrSum)."""
    x, out = b.activation(operator.inputs[0]), b.activation(operator.outputs[0])
    axes = sorted({int(axis) % len(x.shape) for axis in b.required(operator, 1).reshape(-1)})
    if 0 in axes or not axes:
        raise ModelError(f"reduces axes {axes}; expected axes behind the batch")
    if not b.exact:
        _real(b, operator, x, out, axes)
        return
    total, count = _over_axes(b, x, out, axes), int(np.prod([x.shape[axis] for axis in axes]))
    rescaled(
        b, out.place, total, np.float64(x.scale) / np.float64(out.scale), count=count if operator.kind == "MEAN" else 1
    )


def _real(b: TfliteBuilder, operator: TfliteOperator, x: TfliteTensor, out: TfliteTensor, axes: list[int]) -> None:
    kind, keep = ("ReduceMean" if operator.kind == "MEAN" else "ReduceSum"), int(bool(operator.option("keepDims")))
    stored = b.constant(out.place, "axes", np.array(axes, np.int64))
    quantised(
        b, out.place, b.node(kind, [b.get(x.place, REAL, LAST), stored], b.fresh(out.place, "reduced"), keepdims=keep)
    )


def _over_axes(b: TfliteBuilder, x: TfliteTensor, out: TfliteTensor, axes: list[int]) -> str:
    """Append the sum in the output's shape: of an image by a convolution, else by a product with ones along the last
    axis.
    """
    if axes == [1, 2] and len(x.shape) == 4:
        flags = {"kernel_shape": list(x.shape[1:3]), "strides": [1, 1], "pads": [0, 0, 0, 0]}
        total = _summed(b, out.place, b.get(x.place, REAL, FIRST), x, flags)
    else:
        kept = [axis for axis in range(len(x.shape)) if axis not in axes]
        turned = b.node("Transpose", [b.get(x.place, REAL, LAST)], b.fresh(out.place, "turned"), perm=[*kept, *axes])
        size = int(np.prod([x.shape[axis] for axis in axes]))
        rows = b.constant(out.place, "rows", np.array([*(x.shape[axis] for axis in kept), size], np.int64))
        flat = b.node("Reshape", [turned, rows], b.fresh(out.place, "flat"))
        ones = b.weights(out.place, np.ones((size, 1), np.int64), np.ones(1), 0, np.dtype(np.int8))
        total = b.node("MatMul", [flat, ones], b.fresh(out.place, "sum"))
    shape = b.constant(out.place, "shape", np.array(out.shape, np.int64))
    return b.node("Reshape", [total, shape], b.fresh(out.place, "total"))
