"""Rewrites nodes in graph order, with an example of every value.

The example (all inputs zero) tells shapes, and what is quantised at which scale, without ONNX's own shape inference,
which knows neither qonnx's operators nor what a graph of another opset meant.
"""

from __future__ import annotations

from typing import Any

import onnx

from microstage.errors import ModelError
from microstage.integer import QTensor
from microstage.integer.interpreter import run_node
from microstage.integer.registry import POINTWISE, Kind, knows, named
from microstage.untrusted.limits import MOST_WORK
from microstage_streamline.graph.graph import Graph, MalformedModel, Node, saying_where
from microstage_streamline.graph.sizes import sizes_of
from microstage_streamline.normalise.folded import folded
from microstage_streamline.normalise.rewrites import REWRITES

__all__ = ["Normaliser"]

_QUANTISERS = (
    "Quant",
    "BipolarQuant",
    "QuantizeLinear",
    "MultiThreshold",
    "TfliteRequantize",
    "TfliteAverage",
    "TfliteTable",
    "Requantize",
)
_QUANTISING = (*_QUANTISERS, "DequantizeLinear")
_DISGUISED = (
    "Gemm",
    "ReduceMean",
    "ReduceSum",
    "ConvTranspose",
    "QuantAvgPool2d",
)  # products and averages, as soon as they are rewritten
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


class Normaliser:
    """`graph` after `clean()` holds no constant subgraph, no alias, no bias in a product, no two equal nodes, none that
    nobody needs.

    `values` are the examples; a tensor that this reference cannot compute has none, and `unknown` says why. `origin`
    names the stored constant that a folded one was made of; `makers` the nodes that stay, as far as they were looked
    at; `operators` those of the file, by the names of its nodes.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.operators = {node.layer: node.op for node in graph.nodes}
        self.values: dict[str, Any] = {**graph.constants, **graph.examples()}
        self.unknown: dict[str, str] = {}
        self.renamed: dict[str, str] = {}
        self.origin: dict[str, str] = {}
        self.seen: dict[Any, Node] = {}
        self.makers: dict[str, Node] = {}
        self.count = self.work = 0
        self._readers: dict[str, list[Node]] = {}
        self._fixed = set(graph.constants)
        for node in graph.nodes:
            for name in set(node.inputs):
                self._readers.setdefault(name, []).append(node)
            if all(not name or name in self._fixed for name in node.inputs):
                self._fixed.update(node.outputs)

    def clean(self) -> Graph:
        """The graph after every rewrite."""
        queue, done = list(reversed(self.graph.nodes)), []
        while queue:
            node = queue.pop()
            node.inputs = [self.renamed.get(name, name) for name in node.inputs]
            self._assert_modest(node)
            replaced = self._rewritten(node)
            if replaced is not None:
                queue += reversed(replaced)
            elif not self._gone(node):
                done.append(node)
                self.makers.update(dict.fromkeys(node.outputs, node))
        self.graph.outputs = [self.renamed.get(name, name) for name in self.graph.outputs]
        for name in self.graph.outputs:
            if self.is_constant(name) or name in self.graph.inputs:
                what = "a constant, which no input changes" if self.is_constant(name) else "an input as it is"
                raise ModelError(f"The graph's output {name} is {what}; leave it out of the file.")
        self.graph.nodes, used = _alive(done, self.graph.outputs)
        self.graph.constants = {name: value for name, value in self.graph.constants.items() if name in used}
        return self.graph

    def constant(self, near: str, value: Any) -> str:
        """A new constant, called after the tensor that it serves."""
        self.count += 1
        name = f"{near}.constant{self.count}"
        self.graph.constants[name] = self.values[name] = value
        if near in self.graph.constants:
            self.origin[name] = self.origin.get(near, near)
        return name

    def is_constant(self, name: str) -> bool:
        """Whether a tensor is stored, or was computed from what is."""
        return name in self.graph.constants

    def is_fixed(self, name: str) -> bool:
        """Whether the file itself makes a tensor of what it stores alone."""
        return name in self._fixed

    def readers(self, name: str) -> list[Node]:
        """The file's nodes that read a tensor."""
        return self._readers.get(name, [])

    def is_read(self, name: str) -> bool:
        """Whether a node of the file, or its output, reads tensor `name`."""
        return name in self._readers or name in self.graph.outputs

    def reaches_integers(self, name: str) -> bool:
        """Whether something needs tensor `name` as integers at a scale: an output, or a product, average or join before
        any quantiser.
        """
        if name in self.graph.outputs:
            return True
        for node in self._readers.get(name, ()):
            kind, alone = named(node.op).kind, sum(bool(n) and n not in self._fixed for n in node.inputs) == 1
            if kind in (Kind.PRODUCT, Kind.AVERAGE) or node.op in _DISGUISED or not alone:
                return True
            follows = (kind is Kind.MOVES or kind in POINTWISE or node.op in _MOVING) and node.op not in _QUANTISERS
            if follows and any(self.reaches_integers(output) for output in node.outputs):
                return True
        return False

    def _assert_modest(self, node: Node) -> None:
        """Refuse what is small in the file and large in memory, or without an end in time, before it is made."""
        stored = all(not name or self.is_constant(name) for name in node.inputs)
        found = sizes_of(node, self.values, stored)
        self.work += found.work
        self.graph.heaviest = max(self.graph.heaviest, found.values)
        if self.work > MOST_WORK:
            raise MalformedModel(
                f"The network needs more than {MOST_WORK} multiplications up to {node}; at most that can be proven."
            )

    def _rewritten(self, node: Node) -> list[Node] | None:
        """What stands for `node`; None for a node that stays as it is."""
        try:
            with saying_where(node):
                found = next((rewrite for rewrite in REWRITES.get(node.op, ()) if rewrite.matches(self, node)), None)
                return found.rewrite(self, node) if found else None
        except MalformedModel:
            raise
        except ModelError as error:
            self.unknown.update(dict.fromkeys(node.outputs, str(error).removeprefix(f"{node}: ")))
            return None

    def _gone(self, node: Node) -> bool:
        """Run the example; whether the node is a constant now, or the same as one before."""
        known = self._example(node)
        if known and all(not name or self.is_constant(name) for name in node.inputs):
            self.graph.constants.update((name, self.values[name]) for name in node.outputs if name)
            if node.inputs:
                self.origin[node.output] = self.origin.get(node.inputs[0], node.inputs[0])
            return True
        flags = tuple(sorted((name, str(value)) for name, value in node.flags.items()))
        twin = self.seen.setdefault((node.op, tuple(node.inputs), flags, len(node.outputs)), node)
        if twin is not node and not {*node.outputs, *twin.outputs} & {*self.graph.outputs}:
            self.renamed.update(zip(node.outputs, twin.outputs))
            return True
        return False

    def _example(self, node: Node) -> bool:
        reason = next((self.unknown[name] for name in (*node.inputs, *node.outputs) if name in self.unknown), None)
        if reason is None:
            try:
                with saying_where(node):
                    found = self._run(node)
            except MalformedModel:
                raise
            except ModelError as error:
                reason = str(error).removeprefix(f"{node}: ")
        if reason is not None:
            self.unknown.update(dict.fromkeys(node.outputs, reason))
            return False
        self.values.update(found)
        return True

    def _run(self, node: Node) -> dict[str, Any]:
        """The example of a node's outputs.

        Constants of constants are as onnx has them, but for what makes integers, or what moves these with their scale.
        """
        inputs = [self.values[name] for name in node.inputs if name]
        keeps = node.op in _QUANTISING or any(isinstance(value, QTensor) for value in inputs) and knows(node.op)
        if all(not name or self.is_constant(name) for name in node.inputs) and onnx.defs.has(node.op) and not keeps:
            return folded(node, self.values, self.graph.opset)
        if not knows(node.op):
            raise ModelError(f"{node.op} is no operator of the integer reference")
        found = run_node(node.proto(), self.values)
        if lacking := [name for name in node.outputs if name and name not in found]:
            raise ModelError(f"the integer reference computes no {lacking[0]} of it")
        return found


def _alive(nodes: list[Node], outputs: list[str]) -> tuple[list[Node], set[str]]:
    """The nodes that an output needs, and all that is read."""
    used, kept = set(outputs), []
    for node in reversed(nodes):
        if used & set(node.outputs):
            kept.append(node)
            used |= set(node.inputs)
    return kept[::-1], used
