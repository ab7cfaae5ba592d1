"""Move functions of each value ahead of operators that only move values about: to the accumulator, or to the input."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from microstage.integer import QTensor
from microstage.integer.interpreter import run_node
from microstage.integer.registry import POINTWISE, Kind, named
from microstage.integer.tensor import real
from microstage_streamline.graph.graph import Graph, Node, is_quantised
from microstage_streamline.normalise.carry_back import carried, single, stays_in_pool
from microstage_streamline.normalise.normal_graph import NormalGraph
from microstage_streamline.read.known_operators import QUANTISING

__all__ = ["fronts", "hoist"]

_EARLY = ".before_"
_OF_ALL = ("Concat", "Min", "Max")  # all inputs are moved, or chosen from


def hoist(normal: NormalGraph) -> None:
    """Move functions of each value forward: q(move(x)) = move(q(x)), also of a maximum where q never falls.

    Precondition: x is real, or q quantises joined integers of several scales, or clips what a quantiser has just made
    of it, or thresholds could not follow (a row of samples); nobody else reads a quantised move(x). Behind an
    accumulator q has one set of parameters for the whole tensor, or those of each value are carried back. What a Pad
    brings in becomes q of it. Between a real input and its first quantiser it may be any function of each value, whose
    parameters are carried back through a mover that joins no values: so the integers are those of the file's own input.
    """
    _Commuter(normal).run()


class _Commuter:
    def __init__(self, normal: NormalGraph) -> None:
        self.normal, self.graph = normal, normal.graph
        _unfold_norms(normal)
        _slice_apart(normal)
        self.makers = {name: node for node in self.graph.nodes for name in node.outputs}
        self.readers = Counter(name for node in self.graph.nodes for name in set(node.inputs))
        self.front = fronts(normal)

    def run(self) -> None:
        place = 0
        while place < len(self.graph.nodes):
            node = self.graph.nodes[place]
            mover = self._mover_before(node)
            early = None if mover is None else self._early(node, mover)
            place = place + 1 if mover is None or early is None else self._swapped(node, mover, early)

    def _mover_before(self, node: Node) -> Node | None:
        """Return the operator before `node`, if that moves values about and `node` may change places with it."""
        computed = [name for name in node.inputs if name and name not in self.graph.constants]
        mover = self.makers.get(computed[0]) if len(computed) == 1 and len(node.outputs) == 1 else None
        if mover is None or node.output not in self.normal.values:
            return None
        return mover if self._may_swap(node, mover) else None

    def _may_swap(self, node: Node, mover: Node) -> bool:
        if self.readers[mover.output] != 1 and is_quantised(self.normal.values.get(mover.output)):
            return False
        maker = self.makers.get(mover.inputs[0])
        clips = node.op == "Clip" and maker is not None and maker.op == "QuantizeLinear"
        clips |= node.op in QUANTISING and mover.op == "Concat" and _has_scales(self.normal.values.get(mover.output))
        filled = mover.op != "Pad" or _is_plain(self.normal, node) and _is_filled(self.normal, mover)
        return filled and _can_swap(self.normal, mover, clips)

    def _early(self, node: Node, mover: Node) -> list[Node] | None:
        """Return `node` in front of the mover, once for each tensor that is moved; None where that is not the same."""
        data = mover.inputs[: len(mover.inputs) if mover.op in _OF_ALL else 1]
        if _is_plain(self.normal, node) or mover.output in self.front and stays_in_pool(self.normal, node, mover):
            return [self._reading(node, mover.output, name) for name in data]
        if is_quantised(self.normal.values[mover.output]) or named(node.op).kind not in POINTWISE:
            return None
        return carried(self.normal, node, mover)

    def _reading(self, node: Node, old: str, new: str) -> Node:
        """Return the same function of another tensor, outputs unnamed."""
        inputs = [new if name == old else single(self.normal, name) if name else name for name in node.inputs]
        return Node(node.op, inputs, [], node.flags, node.layer)

    def _swapped(self, node: Node, mover: Node, early: list[Node]) -> int:
        """Put the `early` nodes in front of the mover, and return where in the graph the first of them is."""
        if self.readers[mover.output] > 1:
            mover = self._copied(node, mover)
        early = [self._named(node, mover, one) for one in early]
        names = [n.output for n in early]
        others = self._filled(node, mover) if mover.op == "Pad" else mover.inputs[len(names) :]
        moved = Node(mover.op, [*names, *others], node.outputs, mover.flags, mover.layer)
        at = self.graph.nodes.index(mover)
        self.graph.nodes = [n for n in self.graph.nodes if n is not mover and n is not node]
        self.graph.nodes[at:at] = [*early, moved]
        self.makers.update((n.output, n) for n in (*early, moved))
        self.readers.update(names)
        self.normal.values.update(run_node(moved.proto(), self.normal.values))
        if mover.output in self.front:
            self.front.update(name for name in (*names, moved.output) if not is_quantised(self.normal.values[name]))
        return at

    def _filled(self, node: Node, pad: Node) -> list[str]:
        """Return the amounts of `pad`, and what `node` makes of the value that it brings in."""
        fill = next((self.normal.values[name] for name in pad.inputs[2:3] if name), np.zeros((), np.float32))
        one = self._reading(node, pad.output, "fill")
        one.outputs = ["filled"]
        filled = run_node(one.proto(), {**self.normal.values, "fill": np.asarray(real(fill)).reshape(())})["filled"]
        return [
            pad.inputs[1],
            self.normal.constant(pad.output, filled if isinstance(filled, QTensor) else np.asarray(filled)),
        ]

    def _copied(self, node: Node, mover: Node) -> Node:
        """Copy a mover that others read too, for `node` alone."""
        self.normal.count += 1
        copy = Node(mover.op, list(mover.inputs), [f"{mover.output}.copy{self.normal.count}"], mover.flags, mover.layer)
        self.normal.values[copy.output] = self.normal.values[mover.output]
        node.inputs = [copy.output if name == mover.output else name for name in node.inputs]
        self.graph.nodes.insert(self.graph.nodes.index(mover), copy)
        self.makers[copy.output] = copy
        self.readers.update([name for name in set(mover.inputs)] + [copy.output])
        self.readers[mover.output] -= 1
        if mover.output in self.front:
            self.front.add(copy.output)
        return copy

    def _named(self, node: Node, mover: Node, early: Node) -> Node:
        name = f"{node.output.split(_EARLY)[0]}{_EARLY}{mover.op.lower()}"
        if name in self.normal.values:
            self.normal.count += 1
            name = f"{name}{self.normal.count}"
        early.outputs = [name]
        self.normal.values.update(run_node(early.proto(), self.normal.values))
        return early


def fronts(normal: NormalGraph, inputs: set[str] | None = None) -> set[str]:
    """Return the real tensors each value of which follows from one real value of the `inputs` (default: all)."""
    graph = normal.graph
    found = {
        name for name, entry in graph.inputs.items() if entry.datatype is None and name in (inputs or graph.inputs)
    }
    for node in graph.nodes:
        computed = {name for name in node.inputs if name and name not in graph.constants}
        if computed and computed <= found and named(node.op).kind in (*POINTWISE, Kind.MOVES):
            found.update(n for n in node.outputs if n in normal.values and not is_quantised(normal.values[n]))
    return found


def _unfold_norms(normal: NormalGraph) -> None:
    """Split a normalisation in front of the first quantiser into four operators that can be carried back through a
    move.

    (x - mean) / sqrt(variance + epsilon) * gamma + beta. Precondition: a mover stands before it.
    """
    graph, front = normal.graph, fronts(normal)
    makers = {name: node for node in graph.nodes for name in node.outputs}
    for node in [n for n in graph.nodes if n.op == "BatchNormalization" and n.inputs[0] in front]:
        maker = makers.get(node.inputs[0])
        if maker is not None and not _is_computed(graph, node):
            _replace(normal, node, _unfolded(normal, node))


def _slice_apart(normal: NormalGraph) -> None:
    """Split of real values -> a Slice for each part, so that what each part is quantised by can be carried back."""
    real = [n for n in normal.graph.nodes if n.op == "Split" and not is_quantised(normal.values.get(n.inputs[0]))]
    for node in [n for n in real if n.inputs[0] in normal.values and len(n.inputs) > 1]:
        axis, ends = node.flags.get("axis", 0), np.cumsum([0, *normal.graph.constants[node.inputs[1]]])
        parts = []
        for output, start, end in zip(node.outputs, ends, ends[1:]):
            stored = [normal.constant(output, np.asarray([value], np.int64)) for value in (start, end, axis)]
            parts.append(Node("Slice", [node.inputs[0], *stored], [output], {}, node.layer))
        _replace(normal, node, parts)


def _is_computed(graph: Graph, node: Node) -> bool:
    return any(name not in graph.constants for name in node.inputs[1:])


def _unfolded(normal: NormalGraph, node: Node) -> list[Node]:
    shape = (1, -1) + (1,) * (len(normal.values[node.inputs[0]].shape) - 2)
    gamma, beta, mean, variance = (
        np.asarray(normal.graph.constants[name], np.float64).reshape(shape) for name in node.inputs[1:]
    )
    deviation = np.sqrt(variance + float(np.float32(node.flags.get("epsilon", 1e-5))))
    name, nodes = node.inputs[0], []
    for op, value in (("Sub", mean), ("Div", deviation), ("Mul", gamma), ("Add", beta)):
        output = node.output if op == "Add" else f"{node.output}.{op.lower()}"
        nodes.append(Node(op, [name, normal.constant(node.output, value)], [output], {}, node.layer))
        name = output
    return nodes


def _replace(normal: NormalGraph, node: Node, nodes: list[Node]) -> None:
    at = normal.graph.nodes.index(node)
    normal.graph.nodes[at : at + 1] = nodes
    for new in nodes:
        normal.values.update(run_node(new.proto(), normal.values))


def _is_plain(normal: NormalGraph, node: Node) -> bool:
    """Tell whether a node never falls, and has one set of parameters for all values."""
    rises = named(node.op).rises
    if rises is None or node.inputs[0] in normal.graph.constants:
        return False
    constants = [normal.graph.constants.get(name) for name in node.inputs[1:] if name]
    if any(value is None or isinstance(value, QTensor) or np.size(value) != 1 for value in constants):
        return False
    return bool(rises([np.asarray(value).reshape(()) for value in constants]))


def _is_filled(normal: NormalGraph, pad: Node) -> bool:
    """Tell whether a constant number stands around what is padded."""
    constant = all(not name or normal.is_constant(name) for name in pad.inputs[1:])
    return constant and pad.flags.get("mode", b"constant") in (b"constant", "constant")


def _has_scales(value: Any) -> bool:
    """Tell whether integers have more than one scale: they are sums of several layers."""
    return isinstance(value, QTensor) and np.size(value.scale) > 1


def _can_swap(normal: NormalGraph, mover: Node, clips: bool) -> bool:
    name = mover.output
    return (
        (named(mover.op).kind is Kind.MOVES or mover.op in _OF_ALL)
        and mover.op != "Im2Col"
        and len(mover.outputs) == 1
        and name not in normal.graph.outputs
        and name in normal.values
        and (clips or not is_quantised(normal.values[name]) or len(normal.values[name].shape) < 2)
        and not any(
            normal.is_constant(source) for source in mover.inputs[: len(mover.inputs) if mover.op in _OF_ALL else 1]
        )
    )
