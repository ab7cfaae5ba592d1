"""A quantised network as plain data: what every twin (QDQ ONNX, .tflite, C) is written from, and what the reference
runs.

    Quantity        what integers mean: value = scale * (integer - zero), integer within low..high
    ConvLayer, DenseLayer     weights, one scale per output channel, int32 biases at input scale x weight scale
    AddLayer, AverageLayer, MaximumLayer, FlattenLayer                       layers without weights
    DrawnNetwork         layers in order; each names the tensors that it reads; tensor and layer share a name

Tensors are [n, C, H, W] or [n, features]. A ReLU is a quantity whose `low` is its `zero`: clipping is all that it does.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

__all__ = [
    "INPUT",
    "AddLayer",
    "AverageLayer",
    "ConvLayer",
    "DenseLayer",
    "FlattenLayer",
    "NetworkLayer",
    "MaximumLayer",
    "DrawnNetwork",
    "Quantity",
]

INPUT = "input"


@dataclass(frozen=True)
class Quantity:
    """`scale` is a float32 held as a float: every format stores it without rounding it again."""

    scale: float
    zero: int = 0
    low: int = -128
    high: int = 127

    @property
    def narrow(self) -> bool:
        """Whether it uses less than the 256 levels of its type."""
        return (self.low, self.high) != (-128, 127)


@dataclass(frozen=True, eq=False)
class NetworkLayer:
    """One operator; its output is the tensor `name`."""

    name: str
    inputs: tuple[str, ...]
    output: Quantity


@dataclass(frozen=True, eq=False)
class DenseLayer(NetworkLayer):
    """weights int8 [out, in], scales float32 [out], bias int32 [out]."""

    weights: np.ndarray
    scales: np.ndarray
    bias: np.ndarray


@dataclass(frozen=True, eq=False)
class ConvLayer(DenseLayer):
    """weights int8 [out, in / groups, kh, kw]; pads (top, left, bottom, right), filled with the input's zero point."""

    stride: tuple[int, int] = (1, 1)
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)
    groups: int = 1

    @property
    def depthwise(self) -> bool:
        return self.groups > 1 and self.weights.shape[1] == 1


@dataclass(frozen=True, eq=False)
class AddLayer(NetworkLayer):
    """The sum of two tensors, each at its own quantity."""


@dataclass(frozen=True, eq=False)
class AverageLayer(NetworkLayer):
    """Mean over the whole plane: [n, C, H, W] -> [n, C, 1, 1]; output quantity = input quantity."""


@dataclass(frozen=True, eq=False)
class MaximumLayer(NetworkLayer):
    """Largest of each 2 x 2 window; output quantity = input quantity."""


@dataclass(frozen=True, eq=False)
class FlattenLayer(NetworkLayer):
    """[n, C, H, W] -> [n, C * H * W]; output quantity = input quantity."""


@dataclass(frozen=True, eq=False)
class DrawnNetwork:
    """`inputs` says what each input's integers mean; `shapes` holds the shape of every tensor, without the batch."""

    name: str
    inputs: dict[str, Quantity]
    layers: tuple[NetworkLayer, ...]
    shapes: dict[str, tuple[int, ...]]

    @property
    def output(self) -> str:
        return self.layers[-1].name

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one inference."""
        weighted = [layer for layer in self.layers if isinstance(layer, DenseLayer)]
        return sum(prod(self.shapes[layer.name]) * prod(layer.weights.shape[1:]) for layer in weighted)

    @property
    def parameters(self) -> int:
        """Number of weights."""
        return sum(layer.weights.size for layer in self.layers if isinstance(layer, DenseLayer))

    def quantity(self, tensor: str) -> Quantity:
        return (
            self.inputs[tensor]
            if tensor in self.inputs
            else next(layer.output for layer in self.layers if layer.name == tensor)
        )

    def alone(self, layer: NetworkLayer) -> DrawnNetwork:
        """Return one layer as a network of its own, for comparing runtimes where their differences do not add up."""
        inputs = {name: self.quantity(name) for name in layer.inputs}
        return DrawnNetwork(layer.name, inputs, (layer,), {name: self.shapes[name] for name in (*inputs, layer.name)})
