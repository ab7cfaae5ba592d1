"""Nodes of the new graph: what is appended is exact, in range, and its range is proven."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from microstage.integer.ranges import Range, node_range
from microstage.integer.registry import Kind, named
from microstage_streamline.graph.graph import Node, is_quantised
from microstage_streamline.integerise.integer_graph import IntegerGraph, Integers, NotInteger
from microstage_streamline.normalise.normal_graph import NormalGraph

__all__ = ["Emitter"]

_PRODUCTS, _INTEGERS = 53, 62  # bits: of sums that the reference forms in float64, of any integer


class Emitter:
    """`made` is the new graph; tensors of the cleaned one keep their names in it."""

    def __init__(self, normal: NormalGraph) -> None:
        self.graph, self.values, self.unknown, self.origin = normal.graph, normal.values, normal.unknown, normal.origin
        self.constants, self.operators = normal.graph.constants, normal.operators
        self.made = IntegerGraph()
        self.makers: dict[str, Node] = {}
        self.reads: dict[str, int] = dict.fromkeys(self.graph.outputs, 1)
        for node in self.graph.nodes:
            for name in set(node.inputs):
                self.reads[name] = self.reads.get(name, 0) + 1

    def enter(self, name: str, example: Any, range_: Range) -> Integers:
        """Integers that the new graph is given."""
        self.made.inputs[name] = found = Integers(name, example, range_, self.reads.get(name, 0) > 1)
        self.made.ranges[name] = range_
        return found

    def emit(self, node: Node, example: Any, *sources: Integers) -> Integers:
        """Append a node of the new graph, whose output holds exactly the integers of `example`'s tensor."""
        return self.emit_all(node, [example], *sources)[0]

    def emit_all(self, node: Node, examples: list[Any], *sources: Integers) -> list[Integers]:
        """As `emit`, for a node of several outputs."""
        constants = {name: self.made.constants[name] for name in node.inputs if name in self.made.constants}
        ranges = node_range(node.proto(), {s.name: s.range for s in sources}, constants)
        bits = _PRODUCTS if named(node.op).kind is Kind.PRODUCT else _INTEGERS
        if any(max(abs(end) for end in range_.ends) >= 2**bits for range_ in ranges.values()):
            raise NotInteger(f"its accumulator may need more than {bits} bits")
        self.made.nodes.append(node)
        self.makers.update(dict.fromkeys(node.outputs, node))
        self.made.ranges.update(ranges)
        return [
            Integers(name, example, ranges[name], self.reads.get(name, 0) > 1)
            for name, example in zip(node.outputs, examples)
        ]

    def stored(self, name: str, node: Node) -> str:
        """The integers of a constant, as a constant of the new graph; `NotInteger` for real ones."""
        value = self.constants.get(name)
        if value is None:
            raise NotInteger(f"multiplies two computed tensors, {' and '.join(node.inputs[:2])}")
        if not is_quantised(value):
            raise NotInteger(f"its weights {name} are real: no quantiser stands before them")
        return self.keep(name, np.asarray(getattr(value, "ints", value), np.int64))

    def keep(self, name: str, value: np.ndarray) -> str:
        """Store the integers of constant `name` under the name that the file stores it by, if that is free."""
        origin = self.origin.get(name, name)
        taken = origin in self.made.constants and not np.array_equal(self.made.constants[origin], value)
        name = name if taken or origin in self.made.ranges else origin
        self.made.constants[name] = value
        return name

    def turned(self, start: Integers, falling: np.ndarray) -> Integers:
        """Return -a where `falling` (of the rank of `start`), by negated weights, or by negated values where others
        read them too.
        """
        maker = self.makers.get(start.name)
        columns = {"Conv": 1, "MatMul": falling.ndim - 1}.get(maker.op if maker else "")
        own = columns is not None and falling.size == falling.shape[columns]
        if own and not start.shared and start.name not in self.made.negated:
            self._negate_weights(maker, falling.reshape(-1))
            low, high = start.range.low, start.range.high
            self.made.ranges[start.name] = turned = Range(np.where(falling, -high, low), np.where(falling, -low, high))
            self.made.negated.add(start.name)
            return replace(start, range=turned)
        name = f"{start.name}.turned{len(self.made.nodes)}"
        self.made.constants[f"{name}.sign"] = np.where(falling, -1, 1)
        return self.emit(
            Node("Mul", [start.name, f"{name}.sign"], [name], {}, maker.layer if maker else ""), start.example, start
        )

    def _negate_weights(self, maker: Node, falling: np.ndarray) -> None:
        name, sign = maker.inputs[1], np.where(falling, -1, 1)
        weight = self.made.constants[name]
        shape = (-1,) + (1,) * (weight.ndim - 1) if maker.op == "Conv" else (1,) * (weight.ndim - 1) + (-1,)
        alone = sum(name in node.inputs for node in self.made.nodes) == 1
        maker.inputs = [maker.inputs[0], name if alone else f"{maker.output}.weights"]
        self.made.constants[maker.inputs[1]] = weight * sign.reshape(shape)
