"""Networks with drawn weights whose scales and biases are calibrated, so that every tensor uses its range as a trained
one would.

Speed, size and agreement between runtimes depend on shapes, types and ranges, not on what was learnt: nothing is
trained here. Each layer's biases play the part of a folded batch norm: they centre every channel, then shift it a
little.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from microstage_bench import network as nets
from microstage_bench.reference import accumulate, apply

__all__ = ["Drawing", "draw_inputs"]

_CALIBRATION = 32
_IN_RANGE = 0.999  # of a layer's values; the rest saturate


def draw_inputs(shape: Sequence[int], count: int, seed: int, low: int = -128, high: int = 127) -> np.ndarray:
    """Draw int8 inputs [count, *shape]: noise on blocks of 8, a level and a strength of each input's own, so that means
    and edges both vary.
    """
    random = np.random.default_rng(seed)
    planes = range(2, len(shape) + 1) if len(shape) == 3 else range(1, len(shape) + 1)
    blocks = random.normal(size=[-(-n // 8) if axis in planes else n for axis, n in enumerate((count, *shape))])
    for axis in planes:
        blocks = blocks.repeat(8, axis)
    blocks = blocks[(slice(None), *(slice(n) for n in shape))]
    own = (count, *(1 if axis in planes else n for axis, n in enumerate(shape, 1)))
    real = random.normal(size=own) + random.uniform(0.1, 1.2, own) * (blocks + 0.4 * random.normal(size=blocks.shape))
    return np.clip(np.rint(48 * real), low, high).astype(np.int8)


class Drawing:
    """Builds a network layer by layer, running its calibration inputs through what is built so far.

    Every method returns the name of the tensor that it adds, and reads the latest tensor unless told otherwise.
    Weights lie in -reach..reach (1: no zeros). What a ReLU lets pass lies in `steps` levels above zero; 1 is a
    threshold. Of `alive` channels one is, where that is not 1: no sum of the others ever passes the ReLU.
    """

    def __init__(
        self,
        name: str,
        shape: Sequence[int],
        quantity: nets.Quantity,
        seed: int,
        *,
        reach: int = 127,
        steps: int = 255,
        alive: int = 1,
    ) -> None:
        self.name, self.random, self.latest = name, np.random.default_rng(seed), nets.INPUT
        self.reach, self.steps, self.alive = reach, steps, alive
        self.layers: list[nets.NetworkLayer] = []
        self.quantities: dict[str, nets.Quantity] = {nets.INPUT: quantity}
        self.values = {nets.INPUT: draw_inputs(shape, _CALIBRATION, seed, quantity.low, quantity.high)}

    def network(self) -> nets.DrawnNetwork:
        shapes = {name: value.shape[1:] for name, value in self.values.items()}
        return nets.DrawnNetwork(self.name, {nets.INPUT: self.quantities[nets.INPUT]}, tuple(self.layers), shapes)

    def conv(
        self,
        channels: int,
        kernel: int | tuple[int, int],
        stride: int = 1,
        *,
        relu: bool = True,
        source: str = "",
        padded: bool = True,
    ) -> str:
        """Add a convolution; `padded`: with as many zeros as make the output input / stride large, the odd one at the
        end.
        """
        source = source or self.latest
        height, width = self._kernel(kernel)
        depth, *plane = self.values[source].shape[1:]
        pads = self._pads(plane, (height, width), stride) if padded else (0, 0, 0, 0)
        weights = self._levels((channels, depth, height, width))
        return self._weighted(
            nets.ConvLayer, source, weights, relu, per_channel=True, stride=(stride, stride), pads=pads
        )

    def depthwise(self, kernel: int | tuple[int, int], stride: int = 1, *, relu: bool = True) -> str:
        """Add a convolution of one filter per channel, padded as `conv` is."""
        source, (height, width) = self.latest, self._kernel(kernel)
        channels, *plane = self.values[source].shape[1:]
        pads = self._pads(plane, (height, width), stride)
        weights = self._levels((channels, 1, height, width))
        return self._weighted(
            nets.ConvLayer, source, weights, relu, per_channel=True, stride=(stride, stride), pads=pads, groups=channels
        )

    def dense(self, features: int, *, relu: bool = True, per_channel: bool = False) -> str:
        """Add a fully connected layer, by default with one weight scale for all of it."""
        weights = self._levels((features, self.values[self.latest].shape[1]))
        return self._weighted(nets.DenseLayer, self.latest, weights, relu, per_channel=per_channel)

    def add(self, first: str, second: str, *, relu: bool = True) -> str:
        real = sum(self._real(name) for name in (first, second))
        return self._append(nets.AddLayer(self._name("add"), (first, second), self._output(real, relu)))

    def average(self) -> str:
        return self._append(nets.AverageLayer(self._name("average"), (self.latest,), self.quantities[self.latest]))

    def maximum(self) -> str:
        return self._append(nets.MaximumLayer(self._name("maximum"), (self.latest,), self.quantities[self.latest]))

    def flatten(self) -> str:
        return self._append(nets.FlattenLayer(self._name("flatten"), (self.latest,), self.quantities[self.latest]))

    def _levels(self, shape: tuple[int, ...]) -> np.ndarray:
        """Draw int8 weights, each channel using its range."""
        drawn = self.random.normal(size=shape)
        if self.reach == 1:
            return np.where(drawn < 0, -1, 1).astype(np.int8)
        largest = np.abs(drawn).max(axis=tuple(range(1, len(shape))), keepdims=True)
        return np.rint(self.reach * drawn / largest).astype(np.int8)

    def _weighted(
        self,
        kind: type[nets.DenseLayer],
        source: str,
        weights: np.ndarray,
        relu: bool,
        *,
        per_channel: bool,
        **geometry,
    ) -> str:
        """Add a convolution or dense layer whose scales and biases are calibrated on the inputs."""
        name, quantity = self._name(kind.__name__.removesuffix("Layer").lower()), self.quantities[source]
        blank = kind(name, (source,), quantity, weights, np.zeros(len(weights)), np.zeros(len(weights)), **geometry)
        total = accumulate(blank, self.values[source], quantity)
        scales, bias = self._calibrated(total, quantity.scale, per_channel)
        if relu and self.alive > 1:
            dead = np.arange(len(weights)) % self.alive != 0
            bias[dead] = -255 * np.abs(weights.astype(np.int32)).reshape(len(weights), -1).sum(axis=1)[dead]
        if relu and self.steps == 1:  # all scales are 1: the sum itself, clipped to 0..1
            ones = np.ones(len(weights), np.float32)
            return self._append(replace(blank, output=nets.Quantity(1.0, 0, 0, 1), scales=ones, bias=bias))
        column = (1, -1) + (1,) * (total.ndim - 2)
        real = (total + bias.reshape(column)) * (quantity.scale * scales.astype(np.float64)).reshape(column)
        return self._append(replace(blank, output=self._output(real, relu), scales=scales, bias=bias))

    def _calibrated(self, total: np.ndarray, scale: float, per_channel: bool) -> tuple[np.ndarray, np.ndarray]:
        """Return (weight scales, biases) of a layer with the sums `total` [n, out, ...] of inputs at `scale`.

        The spread of the sums gives the scales, their mean the biases.
        """
        others, count = (0, *range(2, total.ndim)), total.shape[1]
        mean, spread = total.mean(axis=others), np.maximum(total.std(axis=others), 1.0)
        if not per_channel:
            spread = np.full(count, spread.mean())
        gain = self.random.uniform(0.5, 1.5, count) if per_channel else np.ones(count)
        bias = np.rint(self.random.normal(0.2, 0.5, count) * spread - mean).astype(np.int32)
        return (gain / (spread * scale)).astype(np.float32), bias

    def _output(self, real: np.ndarray, relu: bool) -> nets.Quantity:
        """Return the levels over the values that occur: from zero up, or 256 from the lowest to the highest."""
        low, high = np.quantile(real, [1 - _IN_RANGE, _IN_RANGE])
        if relu and self.steps < 255:
            return nets.Quantity(float(np.float32(high / self.steps)), 0, 0, self.steps)
        low, high = 0.0 if relu else min(low, 0.0), max(high, 1e-3)
        scale = float(np.float32((high - low) / 255))
        return nets.Quantity(scale, -128 if relu else int(np.rint(-128 - low / scale)))

    def _append(self, layer: nets.NetworkLayer) -> str:
        quantities = tuple(self.quantities[name] for name in layer.inputs)
        self.values[layer.name] = apply(layer, [self.values[name] for name in layer.inputs], quantities, "half_even")
        self.quantities[layer.name] = layer.output
        self.layers.append(layer)
        self.latest = layer.name
        return layer.name

    def _real(self, name: str) -> np.ndarray:
        quantity = self.quantities[name]
        return (self.values[name].astype(np.float64) - quantity.zero) * quantity.scale

    def _name(self, kind: str) -> str:
        return f"{kind}_{len(self.layers)}"

    @staticmethod
    def _kernel(kernel: int | tuple[int, int]) -> tuple[int, int]:
        return (kernel, kernel) if isinstance(kernel, int) else kernel

    @staticmethod
    def _pads(plane: Sequence[int], kernel: tuple[int, int], stride: int) -> tuple[int, int, int, int]:
        totals = [max((-(-n // stride) - 1) * stride + k - n, 0) for n, k in zip(plane, kernel)]
        (top, left), (bottom, right) = zip(*((total // 2, total - total // 2) for total in totals))
        return top, left, bottom, right
