"""Run a graph of layers and keep what every node gave."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch
from torch import Tensor, fx

__all__ = ["FakeQuantised", "shapes_of"]


class _Recorder(fx.Interpreter):
    def __init__(self, graph: fx.GraphModule) -> None:
        super().__init__(graph)
        self.results: dict[fx.Node, object] = {}

    def run_node(self, node: fx.Node) -> object:
        self.results[node] = super().run_node(node)
        return self.results[node]


class FakeQuantised:
    """Every value of the quantised network, computed in float64, by its name."""

    def __init__(self, graph: fx.GraphModule) -> None:
        self.graph = copy.deepcopy(graph).double().eval()

    @torch.no_grad()
    def __call__(self, x: Tensor) -> Mapping[str, Tensor]:
        recorder = _Recorder(self.graph)
        recorder.run(x.double())
        return {node.name: getattr(result, "value", result) for node, result in recorder.results.items()}


@torch.no_grad()
def shapes_of(graph: fx.GraphModule, example: Tensor) -> Mapping[fx.Node, tuple[int, ...]]:
    """Return the shape of every tensor, for an example [n, ...]."""
    recorder = _Recorder(graph)
    recorder.run(example)
    return {node: tuple(result.shape) for node, result in recorder.results.items() if hasattr(result, "shape")}
