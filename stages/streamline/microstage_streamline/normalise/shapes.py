"""Fold names, shapes and axes: what is computed from shapes becomes constants, and what may be left out is said."""

from __future__ import annotations

import numpy as np

from microstage.errors import ModelError
from microstage_streamline.graph.graph import Node
from microstage_streamline.normalise.normal_graph import NormalGraph
from microstage_streamline.normalise.rewrite import Rewrite


class DropAlias(Rewrite):
    """Identity(x) = x, and a Dropout drops nothing: x is read in its place.

    A graph output keeps its name, by an Identity.
    """

    operators = ("Identity", "Dropout")

    def matches(self, normal: NormalGraph, node: Node) -> bool:
        return node.output not in normal.graph.outputs or node.op == "Dropout"

    def rewrite(self, normal: NormalGraph, node: Node) -> list[Node]:
        if node.output in normal.graph.outputs:
            return [Node("Identity", node.inputs[:1], node.outputs[:1], {}, node.layer)]
        normal.renamed[node.output] = node.inputs[0]
        return []


class FoldShape(Rewrite):
    """The shape of a tensor, and how many values it has, are constants. Precondition: the tensor's example is known."""

    operators = ("Shape", "Size")

    def matches(self, normal: NormalGraph, node: Node) -> bool:
        return node.inputs[0] in normal.values

    def rewrite(self, normal: NormalGraph, node: Node) -> list[Node]:
        sizes = np.asarray(normal.values[node.inputs[0]].shape, np.int64)[
            node.flags.get("start", 0) : node.flags.get("end")
        ]
        sizes = np.prod(sizes) if node.op == "Size" else sizes
        normal.graph.constants[node.output] = normal.values[node.output] = sizes
        return []


class DropNoCopy(Rewrite):
    """Expand and Tile of a tensor to its own shape are the tensor, and so is a Concat of one.

    Precondition: a constant shape, or constant numbers of copies.
    """

    operators = ("Concat", "Expand", "Tile")

    def matches(self, normal: NormalGraph, node: Node) -> bool:
        if node.op == "Concat":
            return len(node.inputs) == 1
        value, wanted = normal.values.get(node.inputs[0]), normal.graph.constants.get(node.inputs[1])
        if value is None or wanted is None or normal.is_constant(node.inputs[0]):
            return False
        if node.op == "Tile":
            return bool(np.all(wanted == 1))
        return len(wanted) <= len(value.shape) and np.broadcast_shapes(value.shape, tuple(wanted)) == tuple(value.shape)

    def rewrite(self, normal: NormalGraph, node: Node) -> list[Node]:
        return [Node("Identity", node.inputs[:1], node.outputs, {}, node.layer)]


class KeepSamples(Rewrite):
    """Reshape to [1, ...] or [-1, ...] -> to [0, ...]: samples are kept, however many.

    Precondition: a constant shape that mixes no samples with their values.
    """

    operators = ("Reshape",)

    def matches(self, normal: NormalGraph, node: Node) -> bool:
        shape = normal.graph.constants.get(node.inputs[1])
        if shape is None or node.inputs[0] not in normal.values or normal.is_constant(node.inputs[0]):
            return False
        return len(shape) > 0 and int(shape[0]) != 0

    def rewrite(self, normal: NormalGraph, node: Node) -> list[Node]:
        shape, value = normal.graph.constants[node.inputs[1]], normal.values[node.inputs[0]]
        sizes = [int(n) if n or node.flags.get("allowzero") else value.shape[i] for i, n in enumerate(shape)]
        behind, size = int(np.prod([n for n in sizes[1:] if n != -1], dtype=np.float64)), int(np.prod(value.shape))
        sizes[1:] = [size // max(1, behind) if n == -1 else n for n in sizes[1:]]
        if int(np.prod(sizes[1:], dtype=np.float64)) != size:
            raise ModelError(
                f"it makes {np.asarray(shape).tolist()} of {list(value.shape)}, samples and their values mixed"
            )
        kept = normal.constant(node.inputs[1], np.asarray([0, *sizes[1:]], np.int64))
        return [Node("Reshape", [node.inputs[0], kept], node.outputs, {}, node.layer)]


class AxesOfSizeOne(Rewrite):
    """Squeeze without axes drops every axis of size 1 but the batch, which is 1 here and any number in the file."""

    operators = ("Squeeze",)

    def matches(self, normal: NormalGraph, node: Node) -> bool:
        return len(node.inputs) == 1 and node.inputs[0] in normal.values

    def rewrite(self, normal: NormalGraph, node: Node) -> list[Node]:
        axes = [axis for axis, size in enumerate(normal.values[node.inputs[0]].shape) if size == 1 and axis > 0]
        return [
            Node(
                "Squeeze",
                [node.inputs[0], normal.constant(node.output, np.asarray(axes, np.int64))],
                node.outputs,
                {},
                node.layer,
            )
        ]


class SizesAsInput(Rewrite):
    """Split: sizes are an input; those that are left out are equal ones, the last what is left."""

    operators = ("Split",)

    def matches(self, normal: NormalGraph, node: Node) -> bool:
        return len(node.inputs) == 1 and node.inputs[0] in normal.values

    def rewrite(self, normal: NormalGraph, node: Node) -> list[Node]:
        axis, parts = node.flags.get("axis", 0), len(node.outputs)
        size = normal.values[node.inputs[0]].shape[axis]
        each = -(-size // parts)
        sizes = [min(each, max(0, size - k * each)) for k in range(parts)]
        stored = normal.constant(node.output, np.asarray(sizes, np.int64))
        return [Node("Split", [node.inputs[0], stored], node.outputs, {"axis": axis}, node.layer)]
