"""A file of the user twice: its integers, and a graph of floats with the same layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import onnx

from microstage.explaining.twins import Arrays, Computed, Twins
from microstage.integer.tensor import real
from microstage_streamline.explain.in_floats import run_in_floats
from microstage_streamline.explain.layers import FileLayer, answers_of, float_weights, layers_of
from microstage_streamline.graph.graph import Graph
from microstage_streamline.normalise.normaliser import normalised
from microstage_streamline.prove.executors import OriginalModel
from microstage_streamline.quantise.cost import quantised_tensors
from microstage_streamline.read.onnx_graph import graph_of

__all__ = ["FileTwins", "beside_the_float_file", "without_quantisers"]


@dataclass(frozen=True)
class GraphOfTwins:
    """One of the two graphs, and the tensors that it answers with."""

    graph: Graph
    answers: Sequence[str]

    def answered(self, found: Any) -> np.ndarray:
        """Return all answers, real, [n, ...]; of several, side by side."""
        values = [real(found[name]) for name in self.answers]
        return values[0] if len(values) == 1 else np.concatenate([v.reshape(len(v), -1) for v in values], axis=1)


class FileTwins(Twins):
    most = 64
    integers = "the file's own, which ONNX and C have: levels of its quantisers, times their scales"

    def __init__(self, exact: GraphOfTwins, floating: GraphOfTwins, layers: Sequence[FileLayer], floats: str) -> None:
        """Take the two graphs, the layers that both have, and what is to be said of the floats."""
        self.exact, self.floating, self.layers, self.floats = exact, floating, layers, floats
        self.inputs: Arrays = {}
        self.at_once = min(Twins.at_once, exact.graph.at_once)

    def on(self, inputs: Arrays, samples: str) -> FileTwins:
        """Take `inputs` [n, ...] by name as samples, and return the twins."""
        self.inputs, self.samples, self.count = inputs, samples, len(next(iter(inputs.values())))
        answer = self.in_integers(np.arange(1)).answer
        self.scores = answer.ndim == 2 and answer.shape[1] > 1
        return self

    def in_integers(self, rows: np.ndarray) -> Computed:
        found = self.exact.graph.run(self._some(rows), [*(one.tensor for one in self.layers), *self.exact.answers])
        return Computed(
            {one.name: one.of_integers(found[one.tensor]) for one in self.layers}, self.exact.answered(found)
        )

    def in_floats(self, rows: np.ndarray, given: Arrays | None = None) -> Computed:
        placed = {one.beside: one.as_floats(given[one.name]) for one in self.layers if given and one.name in given}
        found = run_in_floats(self.floating.graph, self._some(rows), placed)
        layers = {one.name: one.of_floats(found[one.beside]) for one in self.layers}
        return Computed(layers, self.floating.answered({**found, **placed}))

    def _some(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        return {name: values[rows] for name, values in self.inputs.items()}


def without_quantisers(graph: Graph) -> FileTwins:
    """Return a quantised file beside itself without its quantisers."""
    stored = dict(graph.constants)
    normal = normalised(graph)
    weights, answers = float_weights(stored, normal), answers_of(normal)
    known = [node for node in normal.graph.nodes if node.output in normal.values]
    floating = replace(normal.graph, nodes=known, constants={**normal.graph.constants, **weights})
    said = "the file with its quantisers taken out, and its weights as it holds them; what may be a ReLU still cuts"
    layers = layers_of(normal, weights)
    return FileTwins(GraphOfTwins(normal.graph, answers), GraphOfTwins(floating, answers), layers, said)


def beside_the_float_file(made: onnx.ModelProto, prepared: onnx.ModelProto) -> FileTwins:
    """Return the file `made` by quantising beside the float file that it was made of."""
    normal, floating = normalised(graph_of(made)), normalised(graph_of(prepared))
    named = {one.real: one.name for one in quantised_tensors(OriginalModel(made), OriginalModel(prepared))}
    floats = {node.output[0]: named.get(node.input[0]) for node in made.graph.node if node.op_type == "QuantizeLinear"}
    floating.graph.nodes = [node for node in floating.graph.nodes if node.output in floating.values]
    known = {*floating.graph.inputs, *(name for node in floating.graph.nodes for name in node.outputs)}
    layers = [
        replace(one, beside=beside, in_levels=False)
        for one in layers_of(normal, {})
        if (beside := _called(floating.renamed, floats.get(one.tensor))) in known
    ]
    ends = GraphOfTwins(normal.graph, answers_of(normal)), GraphOfTwins(floating.graph, answers_of(floating))
    return FileTwins(*ends, layers, "the float file itself, batch norms folded into the layers before them")


def _called(renamed: dict[str, str], name: str | None) -> str | None:
    return None if name is None else renamed.get(name, name)
