"""Drawn networks as integer graphs: thresholds by bisection of the reference's rounding, two products for a sum."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import singledispatchmethod
from itertools import count
from pathlib import Path

import numpy as np
from graphs import Graph, write_artefact

from microstage_bench.network import (
    AddLayer,
    AverageLayer,
    ConvLayer,
    DenseLayer,
    DrawnNetwork,
    FlattenLayer,
    MaximumLayer,
    Quantity,
)
from microstage_bench.reference import run
from microstage_bench.rounding import requantise
from microstage_bench.write_models import inputs_of

__all__ = ["write_network"]


def write_network(network: DrawnNetwork, folder: Path, vectors: int = 16) -> Path:
    """A drawn network as streamline would write it, with golden vectors of its input and output."""
    graph = _Integers(network)
    values = run(network, inputs_of(network, vectors))
    source = write_artefact(
        folder, {"model": graph.model()}, {name: values[name] for name in (*network.inputs, network.output)}
    )
    (source / "model_def.json").write_text(json.dumps({"model": network.name}))
    return source


class _Integers:
    """A graph of integers, each less its zero point; the output keeps its own."""

    def __init__(self, network: DrawnNetwork) -> None:
        self.network, self.g, self.centred = network, Graph(), {}
        for name, quantity in network.inputs.items():
            x = self.g.input(name, (1, *network.shapes[name]), "INT8")
            self.centred[name] = (
                self.g.node("Add", x, self.g.constant("zero", [-quantity.zero])) if quantity.zero else x
            )
        for layer in network.layers:
            self.centred[layer.name] = self.add(layer)

    def model(self):
        return self.g.model(self.network.output)

    def quantise(self, layer, x: str, function: Callable[[np.ndarray], np.ndarray], low: int, high: int) -> str:
        """`function` of sums [n, channels] within low..high, which does not fall, as thresholds."""
        last = layer.name == self.network.output
        base, top = layer.output.low, layer.output.high
        wanted = np.arange(base + 1, top + 1)[:, None]
        channels = function(np.zeros((1, 1), np.int64)).shape[1]
        first, end = np.full((top - base, channels), low), np.full((top - base, channels), high + 1)
        while np.any(first < end):
            middle = (first + end) // 2
            reached = function(middle).astype(np.int64) >= wanted
            first, end = np.where(reached, first, np.minimum(middle + 1, end)), np.where(reached, middle, end)
        layout = "NCHW" if len(self.network.shapes[layer.name]) == 3 else "NC"
        bias = base - (0 if last else layer.output.zero)
        return self.g.threshold(x, first.T, bias, layout, [layer.name] if last else 1)

    @singledispatchmethod
    def add(self, layer) -> str:
        raise NotImplementedError(type(layer).__name__)

    @add.register
    def _(self, layer: DenseLayer) -> str:
        x, quantity = self.centred[layer.inputs[0]], self.network.quantity(layer.inputs[0])
        weights = layer.weights.astype(np.int64)
        if isinstance(layer, ConvLayer):
            geometry = {"strides": list(layer.stride), "pads": list(layer.pads), "group": layer.groups}
            y = self.g.node("Conv", x, self.g.constant(f"w_{layer.name}", weights), **geometry)
        else:
            y = self.g.node("MatMul", x, self.g.constant(f"w_{layer.name}", weights.T))
        reach = 256 * int(np.abs(weights).reshape(len(weights), -1).sum(axis=1).max())
        scale = quantity.scale * layer.scales.astype(np.float64)
        return self.quantise(
            layer, y, lambda sums: requantise(sums + layer.bias, scale, layer.output, "half_even"), -reach, reach
        )

    @add.register
    def _(self, layer: AddLayer) -> str:
        quantities = [self.network.quantity(name) for name in layer.inputs]
        factors, thresholds = _sum_of(*quantities, layer.output)
        terms = [
            self.g.node("Mul", self.centred[n], self.g.constant(f"{n}_{layer.name}", [f]))
            for n, f in zip(layer.inputs, factors)
        ]
        return self.g.threshold(
            self.g.node("Add", *terms), thresholds[None], layer.output.low - layer.output.zero, "NCHW"
        )

    @add.register
    def _(self, layer: AverageLayer) -> str:
        quantity, (channels, *plane) = self.network.quantity(layer.inputs[0]), self.network.shapes[layer.inputs[0]]
        y = self.g.node(
            "Conv",
            self.centred[layer.inputs[0]],
            self.g.constant(f"w_{layer.name}", np.ones((channels, 1, *plane))),
            group=channels,
        )
        scale, reach = np.array([np.float64(quantity.scale) / np.prod(plane)]), 256 * int(np.prod(plane))
        return self.quantise(layer, y, lambda sums: requantise(sums, scale, layer.output, "half_even"), -reach, reach)

    @add.register
    def _(self, layer: MaximumLayer) -> str:
        return self.g.node("MaxPool", self.centred[layer.inputs[0]], kernel_shape=[2, 2], strides=[2, 2])

    @add.register
    def _(self, layer: FlattenLayer) -> str:
        return self.g.node("Flatten", self.centred[layer.inputs[0]])


def _sum_of(a: Quantity, b: Quantity, y: Quantity) -> tuple[tuple[int, int], np.ndarray]:
    """Small factors p, r and thresholds of p x + r z that give every pair of integers its level."""
    xs, zs = (np.arange(q.low, q.high + 1)[:, None] - q.zero for q in (a, b))
    levels = (
        requantise(xs * np.float64(a.scale) + zs.T * np.float64(b.scale), np.float64(1), y, "half_even")
        .astype(np.int64)
        .ravel()
    )
    for bits in count(1):
        factors = tuple(round(q.scale / max(a.scale, b.scale) * 2**bits) for q in (a, b))
        sums = (factors[0] * xs + factors[1] * zs.T).ravel()
        order = np.argsort(sums, kind="stable")
        steps, same = np.diff(levels[order]), np.diff(sums[order]) == 0
        if np.all(steps >= 0) and not np.any(steps[same]):
            wanted = np.arange(y.low + 1, y.high + 1)
            return factors, np.append(sums[order], sums.max() + 1)[np.searchsorted(levels[order], wanted)]
