"""Cut off the end that FINN-ONNX cannot hold, where all but the end can be held: a classifier up to its softmax."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace

from microstage.integer.registry import Kind, named
from microstage_streamline.graph.graph import Node
from microstage_streamline.integerise.integer_graph import IntegerGraph
from microstage_streamline.integerise.integers import Integers
from microstage_streamline.normalise.normal_graph import NormalGraph
from microstage_streamline.write.model import beyond_finn

__all__ = ["front_of"]


def front_of(made: IntegerGraph, normal: NormalGraph) -> IntegerGraph | None:
    """Return the nodes that need nothing that FINN-ONNX cannot hold, with what the others read of them as outputs.

    None where a product is among the others, or none among these: then it is no front of the network that anyone could
    use.
    """
    front, behind = _parted(made)
    if _products(behind) or not _products(front):
        return None
    names = [name for node in front for name in node.outputs]
    read = {name for node in behind for name in node.inputs}
    taken = {output: found.name for output, found in made.answers().items() if found.name in names}
    answers = {output: made.outputs[output] for output in taken}
    ends = [name for name in names if name in read and name not in taken.values()]
    if any(name not in normal.values or name in made.negated for name in ends):
        return None
    answers |= {name: Integers(name, normal.values[name], made.ranges[name], False) for name in ends}
    constants, ranges = dict(made.constants), dict(made.ranges)
    found = replace(made, nodes=deepcopy(front), constants=constants, outputs=answers, unresolved=[], ranges=ranges)
    found.drop_unused()
    return found


def _parted(made: IntegerGraph) -> tuple[list[Node], list[Node]]:
    """Return (nodes that FINN-ONNX can hold, those that it cannot, and all that read these)."""
    front: list[Node] = []
    behind: list[Node] = []
    beyond: set[str] = set()
    for node in made.nodes:
        alone = IntegerGraph(nodes=[node], constants=made.constants, ranges=made.ranges)
        outside = bool(beyond & set(node.inputs) or beyond_finn(alone))
        (behind if outside else front).append(node)
        beyond |= set(node.outputs) if outside else set()
    return front, behind


def _products(nodes: list[Node]) -> bool:
    return any(named(node.op).kind is Kind.PRODUCT for node in nodes)
