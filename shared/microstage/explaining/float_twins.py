"""A network that was trained in floats and quantised then: as it was, and its integers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import fx, nn

from microstage import quantisation
from microstage.explaining.same_units import take_units
from microstage.explaining.twins import Arrays, Computed, Twins, real_ones
from microstage.interface import golden
from microstage.models.definition import REPLAYED, read
from microstage.models.floats.exporting import FloatExporting
from microstage.models.floats.weights import floats_in, load_float_weights
from microstage.quantisation.integers.operations import Operation, Product, Quantise, Requantise

__all__ = ["FloatTwins"]

_EXAMPLE = 8  # that rewrites of the network are checked on


class FloatTwins(Twins):
    integers = "the network's own, which ONNX and C have: sums of products and levels, times their scales"
    samples = "test examples"

    def __init__(self, exporting: FloatExporting, folder: Path) -> None:
        """Take the quantised network of `exporting`, weights loaded, and the float one of the artefact `folder`."""
        trained = exporting.float_network({**exporting.parameters, "model": read(folder)["model"]})
        file = floats_in(folder)
        load_float_weights(trained, file, file.name)
        prepared = quantisation.prepare(trained, exporting.examples[:_EXAMPLE])
        self.floats = "the network as it was trained in floats, batch norms folded into the layers before them"
        self.inputs, self.count = exporting.examples, real_ones(golden.load(folder / REPLAYED))
        self.classes = exporting.declared.classes
        self.scores = bool(self.classes)
        self.integer = exporting.network.integerize()
        self.graph, self.trained = exporting.network.graph_module, dict(prepared.graph_module.named_modules())
        quantised = dict(self.graph.named_modules())
        if "qat" in exporting.parameters.get("quantise", ""):
            self.floats = "the weights after retraining, with no quantiser in the network, batch norms folded"
            _take_weights(self.trained, quantised)
        elif exporting.network.target.activations.scale == "power-of-two":
            take_units(prepared.graph_module, quantised)
        made = [one for one in self.integer.operations if isinstance(one, (Product, Quantise, Requantise))]
        self.layers = {one.output: _name(one) for one in made}
        self.made = {one.output: one for one in made}

    def in_integers(self, rows: np.ndarray) -> Computed:
        found = self.integer.values(self.inputs[rows])
        layers = {name: _real(self.made[output], found[output]) for output, name in self.layers.items()}
        levels = self.integer.levels[self.integer.output]
        return Computed(layers, (found[self.integer.output] - levels.zero) * levels.scale)

    @torch.no_grad()
    def in_floats(self, rows: np.ndarray, given: Arrays | None = None) -> Computed:
        named = {output: (given or {})[name] for output, name in self.layers.items() if name in (given or {})}
        run = _InFloats(self.graph, self.trained, named)
        answer = run.run(self.inputs[rows])
        layers = {name: run.found[output].double().numpy() for output, name in self.layers.items()}
        return Computed(layers, answer.double().numpy())


class _InFloats(fx.Interpreter):
    """Run the graph of the quantised network with the layers of the float one, in which its quantisers do nothing.

    `found` keeps what every node computes; nodes behind those in `given` read that instead.
    """

    def __init__(self, graph: fx.GraphModule, trained: Mapping[str, nn.Module], given: Arrays) -> None:
        super().__init__(graph)
        self.trained, self.given = trained, given
        self.found: dict[str, Any] = {}

    def run_node(self, node: fx.Node) -> Any:
        self.found[node.name] = value = super().run_node(node)
        return torch.from_numpy(self.given[node.name]).float() if node.name in self.given else value

    def call_module(self, target: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
        layer = self.trained.get(target)
        return arguments[0] if layer is None else layer(*arguments, **named)


def _take_weights(layers: Mapping[str, nn.Module], retrained: Mapping[str, nn.Module]) -> None:
    """Give layers the weights that retraining left."""
    for name, layer in layers.items():
        if isinstance(layer, (nn.Conv1d, nn.Conv2d, nn.Linear)):
            layer.weight, layer.bias = retrained[name].weight, retrained[name].bias


def _name(operation: Operation) -> str:
    return f"{operation.layer}, {'sums' if isinstance(operation, Product) else 'levels'}"


def _real(operation: Operation, found: np.ndarray) -> np.ndarray:
    """Return the real values that integers of an operation stand for."""
    if isinstance(operation, (Quantise, Requantise)):
        return (found - operation.levels.zero) * operation.levels.scale
    assert isinstance(operation, Product)
    return found * operation.scale.reshape(1, -1, *[1] * (found.ndim - 2))
