"""Append convolutions and dense layers: sums of products, then one multiplication and rounding for each channel."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from microstage.errors import ModelError
from microstage_streamline.tflite.builder import FIRST, LAST, REAL, TfliteBuilder
from microstage_streamline.tflite.file import TfliteOperator, TfliteTensor
from microstage_streamline.tflite.geometry import pads_of
from microstage_streamline.tflite.rounding import quantised, rescaled


def _weights(b: TfliteBuilder, operator: TfliteOperator, x: TfliteTensor) -> TfliteTensor:
    found = b.tensor(operator.inputs[1])
    if found.data is None:
        raise ModelError(f"its weights {found.name} are computed; expected constants")
    if x.kind == np.uint8 and b.exact:
        raise ModelError("TensorFlow Lite Micro has no kernel for UINT8 here; ROUNDING=half_even reads it")
    return found


def _centred(w: TfliteTensor) -> np.ndarray:
    """Return integer weights less their zero points, which only unsigned ones have."""
    weights = w.constant.astype(np.int64)
    if len(set(w.zeros)) == 1:
        return weights - w.zero
    return weights - w.zeros.reshape([-1 if axis == w.axis else 1 for axis in range(weights.ndim)])


def conv(b: TfliteBuilder, operator: TfliteOperator) -> None:
    """Append a convolution; weights [O, kh, kw, C / groups] become [O, C / groups, kh, kw]."""
    x, w = (b.activation(operator.inputs[0]), b.tensor(operator.inputs[1]))
    _convolved(b, operator, x, _weights(b, operator, x), (0, 3, 1, 2), x.shape[3] // w.shape[3])


def depthwise_conv(b: TfliteBuilder, operator: TfliteOperator) -> None:
    """Append a convolution of each channel; weights [1, kh, kw, O] become [O, 1, kh, kw]."""
    x = b.activation(operator.inputs[0])
    _convolved(b, operator, x, _weights(b, operator, x), (3, 0, 1, 2), x.shape[3])


def _convolved(
    b: TfliteBuilder, operator: TfliteOperator, x: TfliteTensor, w: TfliteTensor, turned: tuple[int, ...], groups: int
) -> None:
    output, channel = operator.outputs[0], turned[0]
    if len(w.scales) > 1 and w.axis != channel:
        raise ModelError(f"its weights {w.name} have scales along axis {w.axis}; expected {channel}")
    values, option = _centred(w).transpose(turned), operator.option
    strides = [option("strideH", 1), option("strideW", 1)]
    dilations = [option("dilationHFactor", 1), option("dilationWFactor", 1)]
    kernel = list(values.shape[2:])
    flags = {"kernel_shape": kernel, "strides": strides, "dilations": dilations, "group": groups}
    flags["pads"] = pads_of(option("padding"), x.shape[1:3], kernel, strides, dilations)
    stored = b.weights(w.place, values, w.scales, 0, _signed(w))
    inputs = [b.get(x.place, REAL, FIRST), stored]
    product = b.node("Conv", inputs, b.fresh(output, "product"), **flags)
    product = _biased(b, operator, product, x, w, 1, 4)
    _finished(b, operator, product, x, w, FIRST, 1)


def _signed(w: TfliteTensor) -> np.dtype:
    """Return what holds the weights less their zero point."""
    return np.dtype(np.int16 if w.kind == np.uint8 else np.int8)


def _biased(
    b: TfliteBuilder, operator: TfliteOperator, product: str, x: TfliteTensor, w: TfliteTensor, axis: int, rank: int
) -> str:
    """Append the sum with the bias, whose scale is that of the products, along `axis` of `rank`."""
    bias = b.stored(operator, 2)
    if bias is None:
        return product
    tensor, output = b.file.tensors[operator.inputs[2]], operator.outputs[0]
    if not tensor.is_integer:
        raise ModelError(f"its bias {tensor.name} is {tensor.type}; expected integers")
    shape = [-1 if at == axis else 1 for at in range(rank)]
    scale = np.float64(x.scale) * w.scales.astype(np.float64) if b.exact or not len(tensor.scales) else tensor.scales
    stored = b.weights(tensor.place, bias.reshape(shape), scale, axis, bias.dtype)
    return b.node("Add", [product, stored], b.fresh(output, "accumulator"))


def _finished(
    b: TfliteBuilder, operator: TfliteOperator, product: str, x: TfliteTensor, w: TfliteTensor, layout: str, axis: int
) -> None:
    """Append the output: sums by the scales of both over its own, in double precision."""
    place, activation = operator.outputs[0], operator.option("fusedActivationFunction")
    if not b.exact:
        quantised(b, place, product, layout, activation)
        return
    factors = np.float64(x.scale) * w.scales.astype(np.float64) / np.float64(b.activation(place).scale)
    rescaled(b, place, product, factors, layout, axis, activation, wide=_is_wide(b, operator, x))


def _is_wide(b: TfliteBuilder, operator: TfliteOperator, x: TfliteTensor) -> bool:
    """Tell whether the accumulator has 64 bits: of 16-bit activations, unless the bias has 32."""
    if x.kind != np.int16:
        return False
    bias = b.stored(operator, 2)
    return bias.dtype != np.int32 if bias is not None else operator.option("quantizedBiasType") != 2


def transpose_conv(b: TfliteBuilder, operator: TfliteOperator) -> None:
    """Append a transposed convolution; weights [O, kh, kw, C] become [C, O, kh, kw].

    Its inputs are the output's shape, weights, image and bias.
    """
    _, weights, image, *bias = operator.inputs
    operator = replace(operator, inputs=[image, weights, *bias])
    x, out, option = b.activation(operator.inputs[0]), b.activation(operator.outputs[0]), operator.option
    w = _weights(b, operator, x)
    if len(w.scales) > 1 and w.axis != 0:
        raise ModelError(f"its weights {w.name} have scales along axis {w.axis}; expected 0")
    values, kernel = _centred(w).transpose(3, 0, 1, 2), list(w.shape[1:3])
    strides = [option("strideH", 1), option("strideW", 1)]
    begins = pads_of(option("padding"), out.shape[1:3], kernel, strides, [1, 1])[:2]
    whole = [(size - 1) * stride + taps for size, stride, taps in zip(x.shape[1:3], strides, kernel)]
    ends = [size - begin - wanted for size, begin, wanted in zip(whole, begins, out.shape[1:3])]
    flags = {"kernel_shape": kernel, "strides": strides, "pads": [*begins, *(max(0, end) for end in ends)]}
    if min(ends) < 0:
        flags["output_padding"] = [max(0, -end) for end in ends]
    stored = b.weights(w.place, np.ascontiguousarray(values), w.scales, 1, _signed(w))
    product = b.node("ConvTranspose", [b.get(x.place, REAL, FIRST), stored], b.fresh(out.place, "product"), **flags)
    product = _biased(b, operator, product, x, w, 1, 4)
    _finished(b, operator, product, x, w, FIRST, 1)


def fully_connected(b: TfliteBuilder, operator: TfliteOperator) -> None:
    """Append x [.., K] W' with W [O, K]; an image is flattened first."""
    x, out = b.activation(operator.inputs[0]), b.activation(operator.outputs[0])
    w = _weights(b, operator, x)
    if operator.option("weightsFormat"):
        raise ModelError("its weights are stored in blocks; expected rows")
    if len(w.scales) > 1 and w.axis != 0:
        raise ModelError(f"its weights {w.name} have scales along axis {w.axis}; expected 0")
    name, depth = b.get(x.place, REAL, LAST), w.shape[-1]
    shape = [*x.shape[:-1], w.shape[0]] if x.shape[-1] == depth and x.shape[0] == 1 else [1, w.shape[0]]
    if shape[:-1] != list(x.shape[:-1]):
        stored = b.constant(out.place, "rows", np.array([1, depth], np.int64))
        name = b.node("Reshape", [name, stored], b.fresh(out.place, "flat"))
    stored = b.weights(w.place, np.ascontiguousarray(_centred(w).T), w.scales, 1, _signed(w))
    product = b.node("MatMul", [name, stored], b.fresh(out.place, "product"))
    product = _biased(b, operator, product, x, w, len(shape) - 1, len(shape))
    if shape != list(out.shape):
        raise ModelError(f"answers {list(out.shape)} with sums of shape {shape}")
    _finished(b, operator, product, x, w, LAST, len(shape) - 1)
