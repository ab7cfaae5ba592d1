"""Hold a graph while it is rewritten, with an example of every tensor.

The example (all inputs zero) tells shapes, and what is quantised at which scale, without ONNX's own shape inference,
which knows neither qonnx's operators nor what a graph of another opset meant.
"""

from __future__ import annotations

from typing import Any

from microstage.integer.registry import POINTWISE, Kind, named
from microstage_streamline.graph.graph import Graph, Node

__all__ = ["QUANTISERS", "NormalGraph"]

QUANTISERS = (
    "Quant",
    "BipolarQuant",
    "QuantizeLinear",
    "MultiThreshold",
    "TfliteRequantize",
    "TfliteAverage",
    "TfliteTable",
    "Requantize",
)
_DISGUISED = (
    "Gemm",
    "ReduceMean",
    "ReduceSum",
    "ConvTranspose",
    "QuantAvgPool2d",
)
"Products and averages, as soon as they are rewritten."
_MOVING = (
    "Resize",
    "Tile",
    "Expand",
    "DepthToSpace",
    "SpaceToDepth",
    "GatherElements",
    "GatherND",
    "GlobalMaxPool",
    "ReduceMax",
    "ReduceMin",
)


class NormalGraph:
    """`graph`, and what rewrites know of its tensors.

    `values` are the examples; a tensor that this reference cannot compute has none, and `unknown` says why. `renamed`
    names the tensor that stands for one that is gone; `origin` the stored constant that a folded one was made of;
    `makers` the nodes that stay, as far as they were looked at; `operators` those of the file, by the names of its
    nodes; `count` how many names were made up so far.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.operators = {node.layer: node.op for node in graph.nodes}
        self.values: dict[str, Any] = {**graph.constants, **graph.examples()}
        self.unknown: dict[str, str] = {}
        self.renamed: dict[str, str] = {}
        self.origin: dict[str, str] = {}
        self.makers: dict[str, Node] = {}
        self.count = 0
        self._readers: dict[str, list[Node]] = {}
        self._fixed = set(graph.constants)
        for node in graph.nodes:
            for name in set(node.inputs):
                self._readers.setdefault(name, []).append(node)
            if all(not name or name in self._fixed for name in node.inputs):
                self._fixed.update(node.outputs)

    def constant(self, near: str, value: Any) -> str:
        """Store a new constant and return its name, which begins with that of the tensor that it serves."""
        self.count += 1
        name = f"{near}.constant{self.count}"
        self.graph.constants[name] = self.values[name] = value
        if near in self.graph.constants:
            self.origin[name] = self.origin.get(near, near)
        return name

    def is_constant(self, name: str) -> bool:
        """Tell whether a tensor is stored, or was computed from what is."""
        return name in self.graph.constants

    def is_fixed(self, name: str) -> bool:
        """Tell whether the file itself computes a tensor from its constants alone."""
        return name in self._fixed

    def readers(self, name: str) -> list[Node]:
        """Return the file's nodes that read a tensor."""
        return self._readers.get(name, [])

    def is_read(self, name: str) -> bool:
        """Tell whether a node of the file reads tensor `name`, or it is an output."""
        return name in self._readers or name in self.graph.outputs

    def reaches_integers(self, name: str) -> bool:
        """Tell whether something needs tensor `name` as integers at a scale.

        That is an output, or a product, average or join before any quantiser.
        """
        if name in self.graph.outputs:
            return True
        for node in self._readers.get(name, ()):
            kind, alone = named(node.op).kind, sum(bool(n) and n not in self._fixed for n in node.inputs) == 1
            if kind in (Kind.PRODUCT, Kind.AVERAGE) or node.op in _DISGUISED or not alone:
                return True
            follows = (kind is Kind.MOVES or kind in POINTWISE or node.op in _MOVING) and node.op not in QUANTISERS
            if follows and any(self.reaches_integers(output) for output in node.outputs):
                return True
        return False
