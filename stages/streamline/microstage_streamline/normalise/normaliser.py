"""Bring a graph into one form: rewrite its nodes in graph order, fold its constants, merge equal nodes."""

from __future__ import annotations

from typing import Any

import onnx

from microstage.errors import ModelError
from microstage.integer import QTensor
from microstage.integer.interpreter import run_node
from microstage.integer.registry import knows
from microstage.untrusted.limits import MOST_WORK
from microstage_streamline.graph.graph import Graph, MalformedModel, Node, saying_where
from microstage_streamline.graph.sizes import sizes_of
from microstage_streamline.normalise.folded import folded
from microstage_streamline.normalise.normal_graph import QUANTISERS, NormalGraph
from microstage_streamline.normalise.rewrites import REWRITES

__all__ = ["normalised"]

_QUANTISING = (*QUANTISERS, "DequantizeLinear")


def normalised(graph: Graph) -> NormalGraph:
    """Rewrite `graph` until it has no constant subgraph, alias, bias in a product, equal nodes or node nobody needs."""
    normal = NormalGraph(graph)
    _Normaliser(normal).run()
    return normal


class _Normaliser:
    """Rewrite the nodes of `normal` in graph order; `seen` finds equal nodes, `work` counts multiplications."""

    def __init__(self, normal: NormalGraph) -> None:
        self.normal, self.graph, self.values, self.unknown = normal, normal.graph, normal.values, normal.unknown
        self.seen: dict[Any, Node] = {}
        self.work = 0

    def run(self) -> None:
        """Apply every rewrite, then keep what an output needs."""
        queue = list(reversed(self.graph.nodes))
        done: list[Node] = []
        while queue:
            node = queue.pop()
            node.inputs = [self.normal.renamed.get(name, name) for name in node.inputs]
            self._assert_modest(node)
            replaced = self._rewritten(node)
            if replaced is not None:
                queue += reversed(replaced)
            elif not self._gone(node):
                done.append(node)
                self.normal.makers.update(dict.fromkeys(node.outputs, node))
        self._name_outputs()
        self.graph.nodes, used = _alive(done, self.graph.outputs)
        self.graph.constants = {name: value for name, value in self.graph.constants.items() if name in used}

    def _name_outputs(self) -> None:
        """Name the outputs as they are called now; `ModelError` for one that is a constant or an input."""
        self.graph.outputs = [self.normal.renamed.get(name, name) for name in self.graph.outputs]
        for name in self.graph.outputs:
            if self.normal.is_constant(name) or name in self.graph.inputs:
                what = "a constant, which no input changes" if self.normal.is_constant(name) else "an input as it is"
                raise ModelError(f"The graph's output {name} is {what}; leave it out of the file.")

    def _assert_modest(self, node: Node) -> None:
        """Refuse what is small in the file and large in memory, or without an end in time, before it is made."""
        found = sizes_of(node, self.values, stored=self._reads_constants(node))
        self.work += found.work
        self.graph.heaviest = max(self.graph.heaviest, found.values)
        if self.work > MOST_WORK:
            raise MalformedModel(
                f"The network needs more than {MOST_WORK} multiplications up to {node}; at most that can be proven."
            )

    def _reads_constants(self, node: Node) -> bool:
        return all(not name or self.normal.is_constant(name) for name in node.inputs)

    def _rewritten(self, node: Node) -> list[Node] | None:
        """Return what stands for `node`; None for a node that stays as it is."""
        try:
            with saying_where(node):
                for rewrite in REWRITES.get(node.op, ()):
                    if rewrite.matches(self.normal, node):
                        return rewrite.rewrite(self.normal, node)
                return None
        except MalformedModel:
            raise
        except ModelError as error:
            self.unknown.update(dict.fromkeys(node.outputs, str(error).removeprefix(f"{node}: ")))
            return None

    def _gone(self, node: Node) -> bool:
        """Run the example, and tell whether the node is a constant now, or equal to one before."""
        known = self._example(node)
        if known and self._reads_constants(node):
            self.graph.constants.update((name, self.values[name]) for name in node.outputs if name)
            if node.inputs:
                self.normal.origin[node.output] = self.normal.origin.get(node.inputs[0], node.inputs[0])
            return True
        flags = tuple(sorted((name, str(value)) for name, value in node.flags.items()))
        twin = self.seen.setdefault((node.op, tuple(node.inputs), flags, len(node.outputs)), node)
        if twin is not node and not {*node.outputs, *twin.outputs} & {*self.graph.outputs}:
            self.normal.renamed.update(zip(node.outputs, twin.outputs))
            return True
        return False

    def _example(self, node: Node) -> bool:
        """Compute the examples of a node's outputs, and tell whether that succeeded."""
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
        """Return the examples of a node's outputs.

        What constants alone make is computed by onnx, unless it makes integers, or moves them with their scale.
        """
        inputs = [self.values[name] for name in node.inputs if name]
        keeps = node.op in _QUANTISING or any(isinstance(value, QTensor) for value in inputs) and knows(node.op)
        if self._reads_constants(node) and onnx.defs.has(node.op) and not keeps:
            return folded(node, self.values, self.graph.opset)
        if not knows(node.op):
            raise ModelError(f"{node.op} is no operator of the integer reference")
        found = run_node(node.proto(), self.values)
        if lacking := [name for name in node.outputs if name and name not in found]:
            raise ModelError(f"the integer reference computes no {lacking[0]} of it")
        return found


def _alive(nodes: list[Node], outputs: list[str]) -> tuple[list[Node], set[str]]:
    """Return the nodes that an output needs, and the names of all that is read."""
    used, kept = set(outputs), []
    for node in reversed(nodes):
        if used & set(node.outputs):
            kept.append(node)
            used |= set(node.inputs)
    return kept[::-1], used
