"""Find channels of an integer graph that nobody needs: those that are provably one value, and the filters behind them.

Channels that an operator ties to one another (of a pool's input and output, of both terms of a sum, of an image and its
flattened row) stay or go together. They go where no tensor among them is an input or an output, and every product that
reads one finds it constant, or multiplies it by zero alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from microstage.integer.interpreter import run_node
from microstage.integer.ranges import Range
from microstage.integer.registry import Kind, named
from microstage_streamline.graph.graph import Node
from microstage_streamline.integerise.integer_graph import IntegerGraph

__all__ = ["Channels", "constant_channels", "is_depthwise"]

_POINTWISE = ("MultiThreshold", "Add", "Mul", "Identity")
_SHAPED = ("Reshape", "Flatten", "Squeeze", "Unsqueeze")


class Channels:
    """`axis` of the channels of each tensor that has such; `kept` {tensor: indices} of those that lose some."""

    def __init__(self, made: IntegerGraph) -> None:
        self.integer_graph = made
        self.axis: dict[str, int] = {}
        self.kept: dict[str, np.ndarray] = {}
        self._first: dict[str, int] = {}
        self._parent: list[int] = []
        ends = {found.name for found in made.answers().values()}
        self._needed: set[int] = set()
        for name in made.inputs:
            self._add(made.inputs[name].name, 1)
            self._need(made.inputs[name].name)
        for node in made.nodes:
            self._tie(node)
        for name in ends:
            self._need(name)
        self._decide()

    def _add(self, name: str, axis: int) -> None:
        self.axis[name], self._first[name] = axis, len(self._parent)
        count = self.integer_graph.ranges[name].low.shape[axis]
        self._parent.extend(range(len(self._parent), len(self._parent) + count))

    def _need(self, name: str) -> None:
        if name in self._first:
            self._needed.update(self._ids(name))

    def _ids(self, name: str) -> range:
        return range(self._first[name], self._first[name] + self.integer_graph.ranges[name].low.shape[self.axis[name]])

    def _root(self, one: int) -> int:
        while self._parent[one] != one:
            self._parent[one] = one = self._parent[self._parent[one]]
        return one

    def _same(self, name: str, channels: Iterable[int], output: str, first: int) -> None:
        """Tie channel `first` + j of `output` to the j-th of `channels` of `name`."""
        for own, other in zip(self._ids(output)[first:], channels):
            self._parent[self._root(own)] = self._root(self._first[name] + int(other))

    def _tie(self, node: Node) -> None:
        """Relate the channels of a node's output to those of its inputs."""
        computed = [name for name in node.inputs if name in self.integer_graph.ranges]
        tied = self._mapped(node, computed)
        if tied is None:
            for name in computed:
                self._need(name)
            for name in filter(None, node.outputs):
                self._add(name, min(1, self.integer_graph.ranges[name].low.ndim - 1))
                self._need(name)
            return
        axis, sources = tied
        self._add(node.output, axis)
        for name, channels, first in sources:
            self._same(name, channels, node.output, first)

    def _mapped(self, node: Node, computed: list[str]):
        """Return (axis of the output's channels, [(input, its channels that these are, the first of these)]).

        None where the operator needs all channels of its inputs as they are.
        """
        ranges, output = self.integer_graph.ranges, self.integer_graph.ranges[node.output].low
        if any(name not in self.axis for name in computed) or len(node.outputs) > 1:
            return None
        if named(node.op).kind is Kind.PRODUCT:
            return self._of_product(node, computed)
        x, axis = ranges[computed[0]].low, self.axis[computed[0]]
        every = np.arange(x.shape[axis])
        if node.op in _POINTWISE:
            alike = all(ranges[name].low.shape == output.shape and self.axis[name] == axis for name in computed)
            return (axis, [(name, every, 0) for name in computed]) if alike and self._along(node, axis) else None
        if node.op == "MaxPool" and axis == 1:
            return 1, [(computed[0], every, 0)]
        if node.op == "Transpose":
            return list(node.flags.get("perm", range(x.ndim)[::-1])).index(axis), [(computed[0], every, 0)]
        if node.op == "Concat":
            return self._joined(node, axis)
        return self._shaped(node, computed[0], x, axis) if node.op in _SHAPED else None

    def _joined(self, node: Node, axis: int):
        """Map the channels of one input behind those of another."""
        sizes = [self.integer_graph.ranges[name].low.shape[axis] for name in node.inputs]
        if (
            any(self.axis[name] != axis for name in node.inputs)
            or node.flags["axis"] % self.integer_graph.ranges[node.output].low.ndim != axis
        ):
            return None
        return axis, [
            (name, np.arange(size), sum(sizes[:place])) for place, (name, size) in enumerate(zip(node.inputs, sizes))
        ]

    def _of_product(self, node: Node, computed: list[str]):
        """Map new channels, one for each filter; a depthwise filter goes with the channel that it reads."""
        name = computed[0]
        weight = self.integer_graph.constants.get(node.inputs[1])
        if node.op == "MatMul":
            last = self.integer_graph.ranges[name].low.ndim - 1
            return (last, []) if self.axis[name] == last and weight is not None and weight.ndim == 2 else None
        if node.op != "Conv" or self.axis[name] != 1:
            return None
        groups = node.flags.get("group", 1)
        if groups == 1:
            return 1, []
        if weight is None or not is_depthwise(node, self.integer_graph.ranges):
            return None
        return 1, [(name, np.arange(len(weight)) // (len(weight) // groups), 0)]

    def _along(self, node: Node, axis: int) -> bool:
        """Tell whether a node's constants differ along the axis of channels at most."""
        if node.op != "MultiThreshold" or len(self.integer_graph.constants[node.inputs[1]]) == 1:
            return True
        return named(node.op).axes(node.flags, (2,), self.integer_graph.ranges[node.output].low.ndim) == {axis}

    def _shaped(self, node: Node, name: str, x: np.ndarray, axis: int):
        """Find the axis of the new shape along which channels lie, alone or each with its own places."""
        labels = np.broadcast_to(
            np.arange(x.shape[axis]).reshape([-1 if a == axis else 1 for a in range(x.ndim)]), x.shape
        )
        shaped = run_node(node.proto(), {**self.integer_graph.constants, node.inputs[0]: np.ascontiguousarray(labels)})[
            node.output
        ]
        for place in range(1, shaped.ndim):
            others = tuple(a for a in range(shaped.ndim) if a != place)
            found = shaped.min(axis=others)
            if np.array_equal(found, shaped.max(axis=others)):
                return place, [(name, found, 0)]
        return None

    def _decide(self) -> None:
        """Settle which channels go; weights to filters that go count no more, until nothing changes."""
        going = {name: np.zeros(len(self._ids(name)), bool) for name in self._first}
        while True:
            needed = self._needed | self._read(going)
            roots = {self._root(one) for one in needed}
            found = {
                name: np.array([self._root(one) not in roots for one in self._ids(name)], bool) for name in self._first
            }
            empty = next((name for name, gone in found.items() if len(gone) and gone.all()), None)
            if empty is not None:
                self._needed.add(self._first[empty])
            elif all(np.array_equal(found[name], going[name]) for name in found):
                break
            going = found
        self.kept = {name: np.flatnonzero(~gone) for name, gone in going.items() if gone.any()}

    def _read(self, going: dict[str, np.ndarray]) -> set[int]:
        """Return channels that a product needs: neither constant where that can be a bias, nor multiplied by zero
        alone.
        """
        needed: set[int] = set()
        for node in self.integer_graph.nodes:
            if (
                node.op not in ("Conv", "MatMul")
                or is_depthwise(node, self.integer_graph.ranges)
                or node.inputs[1] not in self.integer_graph.constants
            ):
                continue
            name, weight = node.inputs[0], self.integer_graph.constants[node.inputs[1]]
            if self._mapped(node, [name]) is None:
                continue
            stays = ~going[node.output]
            used = np.abs(weight[stays] if node.op == "Conv" else weight[..., stays])
            axis = 1 if node.op == "Conv" else weight.ndim - 2
            used = used.sum(axis=tuple(a for a in range(weight.ndim) if a != axis)) > 0
            constant, values = constant_channels(self.integer_graph.ranges[name], self.axis[name])
            if any(node.flags.get("pads", ())):
                constant = constant & (values == 0)
            needed.update(np.asarray(self._ids(name))[used & ~constant].tolist())
        return needed


def constant_channels(range_: Range, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """Return (whether each channel is one value everywhere, that value)."""
    others = tuple(a for a in range(range_.low.ndim) if a != axis)
    low, high = range_.low.min(axis=others), range_.high.max(axis=others)
    return low == high, low


def is_depthwise(node: Node, ranges: Mapping[str, Range]) -> bool:
    """Tell whether each filter of a convolution reads one channel, of several."""
    return node.op == "Conv" and 1 < node.flags.get("group", 1) == ranges[node.inputs[0]].low.shape[1]
