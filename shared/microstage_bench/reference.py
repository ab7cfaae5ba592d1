"""The integer reference of a `DrawnNetwork`: exact accumulators, then one requantisation per layer."""

from __future__ import annotations

from collections.abc import Mapping
from functools import singledispatch
from math import prod

import numpy as np

from microstage.integer.windows import patches
from microstage_bench import network as nets
from microstage_bench.rounding import requantise, tflite_add, tflite_average

__all__ = ["accumulate", "apply", "run"]


def run(
    network: nets.DrawnNetwork, inputs: Mapping[str, np.ndarray], rounding: str = "half_even"
) -> dict[str, np.ndarray]:
    """Compute every tensor's int8 integers [n, ...] from those of the inputs; `rounding` is one of
    `rounding.ROUNDINGS`.
    """
    values = dict(inputs)
    for layer in network.layers:
        quantities = tuple(network.quantity(name) for name in layer.inputs)
        values[layer.name] = apply(layer, [values[name] for name in layer.inputs], quantities, rounding)
    return values


@singledispatch
def apply(
    layer: nets.NetworkLayer, inputs: list[np.ndarray], quantities: tuple[nets.Quantity, ...], rounding: str
) -> np.ndarray:
    """Compute the int8 output of one layer from its int8 inputs."""
    raise NotImplementedError(type(layer).__name__)


@apply.register
def _(layer: nets.DenseLayer, inputs, quantities, rounding):
    x, total = quantities[0], accumulate(layer, inputs[0], quantities[0])
    channels = (1, -1) + (1,) * (total.ndim - 2)
    # TFLite multiplies the two scales of a dense layer, but not those of a convolution, in float32
    narrow = rounding == "tflite" and not isinstance(layer, nets.ConvLayer)
    scale = np.float32(x.scale) * layer.scales if narrow else x.scale * layer.scales.astype(np.float64)
    return requantise(
        total + layer.bias.astype(np.int64).reshape(channels), scale.reshape(channels), layer.output, rounding
    )


@apply.register
def _(layer: nets.AddLayer, inputs, quantities, rounding):
    if rounding == "tflite":
        return tflite_add(inputs[0], inputs[1], quantities, layer.output)
    first, second = ((x.astype(np.int64) - q.zero) * np.float64(q.scale) for x, q in zip(inputs, quantities))
    return requantise(first + second, np.float64(1.0), layer.output, rounding)


@apply.register
def _(layer: nets.AverageLayer, inputs, quantities, rounding):
    x, count = inputs[0].astype(np.int64), prod(inputs[0].shape[2:])
    if rounding == "tflite":
        return tflite_average(x.sum(axis=(2, 3), keepdims=True), count, layer.output)
    total = (x - quantities[0].zero).sum(axis=(2, 3), keepdims=True)
    return requantise(total, np.float64(quantities[0].scale) / count, layer.output, rounding)


@apply.register
def _(layer: nets.MaximumLayer, inputs, quantities, rounding):
    return patches(inputs[0], (2, 2), (2, 2), (1, 1), (0, 0, 0, 0)).max(axis=2)


@apply.register
def _(layer: nets.FlattenLayer, inputs, quantities, rounding):
    return inputs[0].reshape(len(inputs[0]), -1)


def accumulate(layer: nets.DenseLayer, x: np.ndarray, quantity: nets.Quantity) -> np.ndarray:
    """Compute int64 sums of (x - zero) * weights, without bias; float64 products are exact below 2^53."""
    shifted = x.astype(np.float64) - quantity.zero
    if not isinstance(layer, nets.ConvLayer):
        return (shifted @ layer.weights.T.astype(np.float64)).astype(np.int64)
    cut = patches(shifted, layer.weights.shape[2:], layer.stride, (1, 1), layer.pads)  # [n, C, K, H, W]
    n, _, _, height, width = cut.shape
    columns = cut.reshape(n, layer.groups, -1, height * width)
    kernels = layer.weights.reshape(layer.groups, len(layer.weights) // layer.groups, -1).astype(np.float64)
    return (kernels @ columns).astype(np.int64).reshape(n, len(layer.weights), height, width)
