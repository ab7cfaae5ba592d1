"""Quantisers, and what rounds nothing away before them, move ahead of operators that only move values about."""

from __future__ import annotations

import numpy as np

from microstage.integer.interpreter import run_node
from microstage_streamline.graph.normalise import Normaliser, is_quantised
from microstage_streamline.graph.graph import Node

__all__ = ["hoist"]

_MOVERS = ("Transpose", "MaxPool", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Concat")
_RISING = ("Quant", "BipolarQuant", "QuantizeLinear", "DequantizeLinear", "Clip", "Relu", "Sigmoid", "Tanh", "Rescale", "Cast")


def hoist(normal: Normaliser) -> None:
    """q(move(x)) = move(q(x)): each value alone, and q, which never falls, commutes with a maximum; so it meets the accumulator.

    Precondition: x is real, q has one set of parameters for the whole tensor, and nobody else reads move(x).
    """
    graph, place = normal.graph, 0
    while place < len(graph.nodes):
        node = graph.nodes[place]
        mover = next((n for n in graph.nodes if node.inputs[0] in n.outputs), None) if _pointwise(normal, node) else None
        if mover is None or not _can_swap(normal, mover, node):
            place += 1
            continue
        data = len(mover.inputs) if mover.op == "Concat" else 1
        early = [_before(normal, node, mover, name) for name in mover.inputs[:data]]
        moved = Node(mover.op, [*(n.output for n in early), *mover.inputs[data:]], node.outputs, mover.flags, mover.layer)
        at = graph.nodes.index(mover)
        graph.nodes = [n for n in graph.nodes if n is not mover and n is not node]
        graph.nodes[at:at] = [*early, moved]
        normal.values.update(run_node(moved.proto(), normal.values))
        place = 0


def _pointwise(normal: Normaliser, node: Node) -> bool:
    if node.op not in _RISING or node.output not in normal.values:
        return False
    constants = [normal.graph.constants.get(name) for name in node.inputs[1:] if name]
    whole = all(value is not None and np.size(value) == 1 for value in constants)
    steps = constants[:1] if node.op in ("Quant", "BipolarQuant", "QuantizeLinear", "DequantizeLinear", "Rescale") else []
    return whole and all(float(np.asarray(step).reshape(())) > 0 for step in steps)


def _can_swap(normal: Normaliser, mover: Node, node: Node) -> bool:
    name = mover.output
    return (
        mover.op in _MOVERS
        and name not in normal.graph.outputs
        and name in normal.values
        and not is_quantised(normal.values[name])
        and len(normal.graph.readers(name)) == 1
        and not any(normal.is_constant(source) for source in mover.inputs[: len(mover.inputs) if mover.op == "Concat" else 1])
    )


def _before(normal: Normaliser, node: Node, mover: Node, source: str) -> Node:
    normal.count += 1
    early = Node(node.op, [source, *node.inputs[1:]], [f"{node.output}.before_{mover.op.lower()}{normal.count}"], node.flags, node.layer)
    normal.values.update(run_node(early.proto(), normal.values))
    return early
