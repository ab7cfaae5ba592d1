"""Drop channels that are provably one value."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from microstage.integer.ranges import node_range
from microstage.integer.registry import Kind, named
from microstage_streamline.graph.graph import Node
from microstage_streamline.integerise.channels import Channels, constant_channels, is_depthwise
from microstage_streamline.integerise.functions import Function
from microstage_streamline.integerise.integer_graph import IntegerGraph
from microstage_streamline.integerise.integers import Integers

__all__ = ["DropConstantChannels"]

_EXACT_IN_FLOAT32 = 2**24


class DropConstantChannels:
    """x W = x' W' + v W'' where x is x' and channels of constant v: filters, thresholds and weights of the latter go,
    and v W'' is taken off the thresholds behind the product, or added where others read it.

    Precondition: `Channels` says which may go. A product that pads has v = 0 there.
    """

    def __init__(self, made: IntegerGraph) -> None:
        self.integer_graph, self.channels = made, Channels(made)
        self.kept, self.axis = self.channels.kept, self.channels.axis
        self.before = dict(made.ranges)
        self._whole: dict[str, str] = {}
        self.readers: dict[str, list[Node]] = {}
        for node in made.nodes:
            for name in node.inputs:
                self.readers.setdefault(name, []).append(node)

    def apply(self) -> IntegerGraph:
        """Drop them from the graph, and return it; its `kept` says which channels of a tensor are left."""
        if not self.kept:
            return self.integer_graph
        nodes, self.integer_graph.nodes = self.integer_graph.nodes, []
        for node in nodes:
            self._narrow(node)
        self.integer_graph.ranges = {found.name: found.range for found in self.integer_graph.inputs.values()}
        for node in self.integer_graph.nodes:
            self.integer_graph.ranges.update(
                node_range(node.proto(), self.integer_graph.ranges, self.integer_graph.constants)
            )
        self.integer_graph.kept = {
            name: (self.axis[name], index) for name, index in self.kept.items() if name in self.integer_graph.ranges
        }
        self.integer_graph.outputs = {
            output: self._again(found) for output, found in self.integer_graph.outputs.items()
        }
        self.integer_graph.drop_unused()
        return self.integer_graph

    def _again(self, found: Integers | Function) -> Integers | Function:
        """Return an output with its range, which may be narrower now."""
        if isinstance(found, Integers):
            return replace(found, range=self.integer_graph.ranges[found.name])
        return replace(found, start=replace(found.start, range=self.integer_graph.ranges[found.start.name]))

    def _narrow(self, node: Node) -> None:
        """Append what stands for `node`."""
        tensors = [name for name in (*node.inputs, *node.outputs) if name in self.kept]
        self.integer_graph.nodes.append(node)
        if not tensors:
            return
        if named(node.op).kind is Kind.PRODUCT:
            self._product(node)
        elif node.op == "MultiThreshold":
            self._rows(node, 1, self.kept[node.output], 0)
        elif node.op in ("Add", "Mul"):
            self._terms(node)
        elif node.op == "Reshape":
            shape = self._value(node, 1).copy()
            shape[self.axis[node.output]] = len(self.kept[node.output])
            self._replace(node, 1, shape)

    def _value(self, node: Node, place: int) -> np.ndarray:
        return self.integer_graph.constants[node.inputs[place]]

    def _replace(self, node: Node, place: int, value: np.ndarray) -> None:
        """Store another constant for this node, under the old one's name if nobody else reads it."""
        name = node.inputs[place]
        if len(self.readers.get(name, ())) > 1:
            name = f"{node.output}.kept{place}"
            node.inputs[place] = name
        self.integer_graph.constants[name] = value

    def _rows(self, node: Node, place: int, index: np.ndarray, axis: int) -> None:
        value = self._value(node, place)
        if value.shape[axis] > 1:
            self._replace(node, place, np.take(value, index, axis))

    def _terms(self, node: Node) -> None:
        """Narrow constants that differ from channel to channel."""
        rank = self.before[node.output].low.ndim
        for place, name in enumerate(node.inputs):
            axis = (
                self.axis[node.output] - rank + self.integer_graph.constants[name].ndim
                if name in self.integer_graph.constants
                else -1
            )
            if axis >= 0:
                self._rows(node, place, self.kept[node.output], axis)

    def _product(self, node: Node) -> None:
        name, weight = node.inputs[0], self._value(node, 1)
        columns = 0 if node.op == "Conv" else weight.ndim - 1
        if name in self.kept and is_depthwise(node, self.before):
            node.flags = {**node.flags, "group": len(self.kept[name])}
        elif name in self.kept:
            weight = self._without_constants(node, weight, columns)
        kept = self.kept.get(self._whole.get(node.output, node.output))
        self._replace(node, 1, weight if kept is None else np.take(weight, kept, columns))

    def _without_constants(self, node: Node, weight: np.ndarray, columns: int) -> np.ndarray:
        """Return the weights of the channels that are left; what the others amount to is added behind the product."""
        axis = 1 if node.op == "Conv" else weight.ndim - 2
        constant, values = constant_channels(self.before[node.inputs[0]], self.axis[node.inputs[0]])
        kept = self.kept[node.inputs[0]]
        gone = np.setdiff1d(np.arange(weight.shape[axis]), kept)
        fixed = np.where(constant, values, 0)[gone]  # what is multiplied by zero alone may be anything
        shape = [-1 if a == axis else 1 for a in range(weight.ndim)]
        bias = (np.take(weight, gone, axis) * fixed.reshape(shape)).sum(
            axis=tuple(a for a in range(weight.ndim) if a != columns)
        )
        if bias.any():
            self._add_behind(node, bias)
        return np.take(weight, kept, axis)

    def _add_behind(self, node: Node, bias: np.ndarray) -> None:
        """Take `bias` off every threshold that reads the product; add it to the product if something else reads it."""
        whole, readers = node.output, self.readers.get(node.output, [])
        node.outputs = [f"{whole}.varying"]
        self._whole[node.output] = whole
        outputs = {found.name for found in self.integer_graph.answers().values()}
        if whole not in outputs and all(self._can_shift(reader, whole, bias) for reader in readers):
            for reader in readers:
                reader.inputs = [node.output, reader.inputs[1]]
                self._replace(reader, 1, self._value(reader, 1) - bias[:, None])
            return
        index = self.kept.get(whole, slice(None))
        shape = [-1 if a == self.axis[whole] else 1 for a in range(self.before[whole].low.ndim)]
        self.integer_graph.constants[f"{whole}.constant"] = bias[index].reshape(shape)
        self.integer_graph.nodes.append(Node("Add", [node.output, f"{whole}.constant"], [whole], {}, node.layer))

    def _can_shift(self, reader: Node, whole: str, bias: np.ndarray) -> bool:
        """Tell whether `reader` has thresholds for each channel of `whole` that float32 holds still when they are
        shifted.
        """
        if reader.op != "MultiThreshold":
            return False
        axes = named("MultiThreshold").axes(reader.flags, (2,), self.before[whole].low.ndim)
        return (
            axes == {self.axis[whole]}
            and np.abs(self._value(reader, 1)).max(initial=0) + np.abs(bias).max() < _EXACT_IN_FLOAT32
        )
