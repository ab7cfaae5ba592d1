"""Append nodes to the integer graph: each is exact, in range, and its range is proven."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from microstage.integer.ranges import Range, node_range
from microstage.integer.registry import Kind, named
from microstage_streamline.graph.graph import Node, is_quantised
from microstage_streamline.integerise.integer_graph import IntegerGraph
from microstage_streamline.integerise.integers import Integers, NotInteger
from microstage_streamline.normalise.normal_graph import NormalGraph

__all__ = ["Emitter"]

_PRODUCTS, _INTEGERS = 53, 62  # bits: of sums that the reference forms in float64, of any integer


class Emitter:
    """Make `integer_graph` of the cleaned `graph`, whose tensors keep their names; `reads` counts who reads each."""

    def __init__(self, normal: NormalGraph) -> None:
        self.graph, self.values, self.unknown, self.origin = normal.graph, normal.values, normal.unknown, normal.origin
        self.constants, self.operators = normal.graph.constants, normal.operators
        self.integer_graph = IntegerGraph()
        self.makers: dict[str, Node] = {}
        self.reads: dict[str, int] = dict.fromkeys(self.graph.outputs, 1)
        for node in self.graph.nodes:
            for name in set(node.inputs):
                self.reads[name] = self.reads.get(name, 0) + 1

    def enter(self, name: str, example: Any, range_: Range) -> Integers:
        """Let integers enter as tensor `name`."""
        self.integer_graph.inputs[name] = found = Integers(name, example, range_, self.is_shared(name))
        self.integer_graph.ranges[name] = range_
        return found

    def emit(self, node: Node, example: Any, *sources: Integers) -> Integers:
        """Append a node whose output holds exactly the integers of `example`'s tensor; `sources` are what it reads."""
        return self.emit_all(node, [example], *sources)[0]

    def emit_all(self, node: Node, examples: list[Any], *sources: Integers) -> list[Integers]:
        """Append a node of several outputs, as `emit` does."""
        constants = {
            name: self.integer_graph.constants[name] for name in node.inputs if name in self.integer_graph.constants
        }
        ranges = node_range(node.proto(), {s.name: s.range for s in sources}, constants)
        bits = _PRODUCTS if named(node.op).kind is Kind.PRODUCT else _INTEGERS
        if any(max(abs(end) for end in range_.ends) >= 2**bits for range_ in ranges.values()):
            raise NotInteger(f"its accumulator may need more than {bits} bits")
        self.integer_graph.nodes.append(node)
        self.makers.update(dict.fromkeys(node.outputs, node))
        self.integer_graph.ranges.update(ranges)
        return [
            Integers(name, example, ranges[name], self.is_shared(name)) for name, example in zip(node.outputs, examples)
        ]

    def is_shared(self, name: str) -> bool:
        """Tell whether more than one node of the cleaned graph reads a tensor; an output counts as one."""
        return self.reads.get(name, 0) > 1

    def weights(self, name: str, node: Node) -> str:
        """Store the integers of weights `name`, which `node` reads; `NotInteger` for real ones."""
        value = self.constants.get(name)
        if value is None:
            raise NotInteger(f"multiplies two computed tensors, {' and '.join(node.inputs[:2])}")
        if not is_quantised(value):
            raise NotInteger(f"its weights {name} are real: no quantiser stands before them")
        return self.keep(name, np.asarray(getattr(value, "ints", value), np.int64))

    def store(self, name: str, value: np.ndarray) -> str:
        """Store a constant that is made here, and return its name."""
        self.integer_graph.constants[name] = value
        return name

    def keep(self, name: str, value: np.ndarray) -> str:
        """Store the integers of the file's constant `name` under the name that the file has for it, if that is free."""
        origin = self.origin.get(name, name)
        taken = origin in self.integer_graph.constants and not np.array_equal(
            self.integer_graph.constants[origin], value
        )
        name = name if taken or origin in self.integer_graph.ranges else origin
        return self.store(name, value)

    def keeps_integers(self, node: Node) -> bool:
        """Tell whether `node` leaves integers as they are and changes their scale alone."""
        if node.op != "DequantizeLinear":
            return node.op in ("Rescale", "Identity")
        zero_point = node.inputs[2] if len(node.inputs) > 2 else None
        return zero_point is None or zero_point in self.constants and not np.any(self.constants[zero_point])

    def boundary(self, nodes: Sequence[Node]) -> str:
        """Return the tensor that first holds the integers at the end of `nodes`: behind it, scales alone change."""
        last = len(nodes) - 1
        while last > 0 and self.keeps_integers(nodes[last]) and is_quantised(self.values[nodes[last - 1].output]):
            last -= 1
        return nodes[last].output

    def turned(self, start: Integers, falling: np.ndarray) -> Integers:
        """Return -a where `falling` (of the rank of `start`), else a.

        Weights are negated where one output channel after the other turns, values where others read them too.
        """
        maker = self.makers.get(start.name)
        alone = not start.shared and start.name not in self.integer_graph.negated
        if maker is not None and alone and _turns_columns(maker, falling):
            self._negate_weights(maker, falling.reshape(-1))
            low, high = start.range.low, start.range.high
            turned = Range(np.where(falling, -high, low), np.where(falling, -low, high))
            self.integer_graph.ranges[start.name] = turned
            self.integer_graph.negated.add(start.name)
            return replace(start, range=turned)
        name = f"{start.name}.turned{len(self.integer_graph.nodes)}"
        sign = self.store(f"{name}.sign", np.where(falling, -1, 1))
        layer = maker.layer if maker else ""
        return self.emit(Node("Mul", [start.name, sign], [name], {}, layer), start.example, start)

    def _negate_weights(self, maker: Node, falling: np.ndarray) -> None:
        name, sign = maker.inputs[1], np.where(falling, -1, 1)
        weight = self.integer_graph.constants[name]
        shape = (-1,) + (1,) * (weight.ndim - 1) if maker.op == "Conv" else (1,) * (weight.ndim - 1) + (-1,)
        alone = sum(name in node.inputs for node in self.integer_graph.nodes) == 1
        maker.inputs = [maker.inputs[0], name if alone else f"{maker.output}.weights"]
        self.integer_graph.constants[maker.inputs[1]] = weight * sign.reshape(shape)


def _turns_columns(maker: Node, falling: np.ndarray) -> bool:
    """Tell whether `falling` differs along the output channels of a product at most."""
    channels = {"Conv": 1, "MatMul": falling.ndim - 1}.get(maker.op)
    return channels is not None and falling.size == falling.shape[channels]
