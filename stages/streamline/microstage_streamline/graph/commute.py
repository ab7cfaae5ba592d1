"""Quantisers, and what rounds nothing away before them, move ahead of operators that only move values about."""

from __future__ import annotations

from collections import Counter

import numpy as np

from microstage.integer import QTensor
from microstage.integer.interpreter import run_node
from microstage.integer.registry import Kind, named
from microstage_streamline.graph.graph import Node
from microstage_streamline.graph.normalise import Normaliser, is_quantised

__all__ = ["hoist"]

_EARLY = ".before_"
_PADDING = ("Pad", "Im2Col")  # they bring in zeros, which q may change


def hoist(normal: Normaliser) -> None:
    """q(move(x)) = move(q(x)): each value alone, and q, which never falls, commutes with a maximum; so it meets the accumulator.

    Precondition: x is real, or q clips what a quantiser has just made of it; q has one set of parameters for the whole tensor,
    and nobody else reads move(x).
    """
    graph, place = normal.graph, 0
    makers = {name: node for node in graph.nodes for name in node.outputs}
    readers = Counter(name for node in graph.nodes for name in set(node.inputs))
    while place < len(graph.nodes):
        node = graph.nodes[place]
        mover = makers.get(node.inputs[0]) if _pointwise(normal, node) else None
        clips = node.op == "Clip" and mover is not None and getattr(makers.get(mover.inputs[0]), "op", "") == "QuantizeLinear"
        if mover is None or readers[mover.output] != 1 or not _can_swap(normal, mover, clips):
            place += 1
            continue
        data = len(mover.inputs) if mover.op == "Concat" else 1
        early = [_before(normal, node, mover, name) for name in mover.inputs[:data]]
        moved = Node(mover.op, [*(n.output for n in early), *mover.inputs[data:]], node.outputs, mover.flags, mover.layer)
        at = graph.nodes.index(mover)
        graph.nodes = [n for n in graph.nodes if n is not mover and n is not node]
        graph.nodes[at:at] = [*early, moved]
        makers.update((n.output, n) for n in (*early, moved))
        readers.update(n.output for n in early)
        normal.values.update(run_node(moved.proto(), normal.values))
        place = at


def _pointwise(normal: Normaliser, node: Node) -> bool:
    rises = named(node.op).rises
    if rises is None or node.output not in normal.values:
        return False
    constants = [normal.graph.constants.get(name) for name in node.inputs[1:] if name]
    if any(value is None or isinstance(value, QTensor) or np.size(value) != 1 for value in constants):
        return False
    return rises([np.asarray(value).reshape(()) for value in constants])


def _can_swap(normal: Normaliser, mover: Node, clips: bool) -> bool:
    name = mover.output
    return (
        named(mover.op).kind is Kind.MOVES
        and mover.op not in _PADDING
        and len(mover.outputs) == 1
        and name not in normal.graph.outputs
        and name in normal.values
        and (clips or not is_quantised(normal.values[name]))
        and not any(normal.is_constant(source) for source in mover.inputs[: len(mover.inputs) if mover.op == "Concat" else 1])
    )


def _before(normal: Normaliser, node: Node, mover: Node, source: str) -> Node:
    name = f"{node.output.split(_EARLY)[0]}{_EARLY}{mover.op.lower()}"
    if name in normal.values:
        normal.count += 1
        name = f"{name}{normal.count}"
    early = Node(node.op, [source, *node.inputs[1:]], [name], node.flags, node.layer)
    normal.values.update(run_node(early.proto(), normal.values))
    return early
