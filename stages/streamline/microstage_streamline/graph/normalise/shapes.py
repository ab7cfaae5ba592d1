"""Names, shapes and axes: what is computed from shapes becomes constants, what was an attribute becomes an input."""

from __future__ import annotations

import numpy as np
from onnx import numpy_helper

from microstage.errors import ModelError
from microstage_streamline.graph.graph import MalformedModel, Node
from microstage_streamline.graph.normalise.normaliser import MOST_FOLDED
from microstage_streamline.graph.normalise.rewrite import Rewrite, registered


@registered
class DropAlias(Rewrite):
    """Identity(x) = x, and a Dropout drops nothing: x is read in its place. A graph output keeps its name, by an Identity."""

    operators = ("Identity", "Dropout")

    def matches(self, normal, node):
        return node.output not in normal.graph.outputs or node.op == "Dropout"

    def rewrite(self, normal, node):
        if node.output in normal.graph.outputs:
            return [Node("Identity", node.inputs[:1], node.outputs[:1], {}, node.layer)]
        normal.renamed[node.output] = node.inputs[0]
        return []


@registered
class FoldShape(Rewrite):
    """The shape of a tensor is a constant. Precondition: the tensor's example is known."""

    operators = ("Shape",)

    def matches(self, normal, node):
        return node.inputs[0] in normal.values

    def rewrite(self, normal, node):
        sizes = np.asarray(normal.values[node.inputs[0]].shape, np.int64)[
            node.flags.get("start", 0) : node.flags.get("end")
        ]
        normal.graph.constants[node.output] = normal.values[node.output] = sizes
        return []


@registered
class FoldConstantOfShape(Rewrite):
    """A constant of a constant shape is made now. Precondition: the shape is a modest one."""

    operators = ("ConstantOfShape",)

    def matches(self, normal, node):
        shape = normal.graph.constants.get(node.inputs[0])
        if shape is not None and (np.prod(np.asarray(shape, np.float64)) > MOST_FOLDED or np.min(shape, initial=0) < 0):
            wanted = np.asarray(shape).tolist()
            raise MalformedModel(
                f"{node} makes a constant of shape {wanted}; at most {MOST_FOLDED} values can be held."
            )
        return shape is not None

    def rewrite(self, normal, node):
        fill = numpy_helper.to_array(node.flags["value"]).reshape(-1)[0] if "value" in node.flags else np.float32(0)
        normal.graph.constants[node.output] = normal.values[node.output] = np.full(
            normal.graph.constants[node.inputs[0]], fill
        )
        return []


@registered
class KeepSamples(Rewrite):
    """Reshape to [1, ...] or [-1, ...] -> to [0, ...]: samples are kept, however many. Precondition: a constant shape that mixes
    no samples with their values."""

    operators = ("Reshape",)

    def matches(self, normal, node):
        shape = normal.graph.constants.get(node.inputs[1])
        known = shape is not None and node.inputs[0] in normal.values and not normal.is_constant(node.inputs[0])
        return known and len(shape) > 0 and int(shape[0]) != 0

    def rewrite(self, normal, node):
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


@registered
class AxesAsInput(Rewrite):
    """Squeeze and Unsqueeze: since opset 13 the axes are an input."""

    operators = ("Squeeze", "Unsqueeze")

    def matches(self, normal, node):
        return "axes" in node.flags

    def rewrite(self, normal, node):
        axes = normal.constant(node.output, np.asarray(node.flags["axes"], np.int64))
        return [Node(node.op, [node.inputs[0], axes], node.outputs, {}, node.layer)]


@registered
class AxesOfSizeOne(Rewrite):
    """Squeeze without axes drops every axis of size 1 but the batch, which is 1 here and any number in the file."""

    operators = ("Squeeze",)

    def matches(self, normal, node):
        return len(node.inputs) == 1 and "axes" not in node.flags and node.inputs[0] in normal.values

    def rewrite(self, normal, node):
        axes = [axis for axis, size in enumerate(normal.values[node.inputs[0]].shape) if size == 1 and axis > 0]
        return [Node("Squeeze", [node.inputs[0], normal.constant(node.output, np.asarray(axes, np.int64))], node.outputs, {}, node.layer)]


@registered
class SizesAsInput(Rewrite):
    """Split: sizes are an input; those that are left out are equal ones, the last what is left."""

    operators = ("Split",)

    def matches(self, normal, node):
        return len(node.inputs) == 1 and ("split" in node.flags or node.inputs[0] in normal.values)

    def rewrite(self, normal, node):
        axis, sizes = node.flags.get("axis", 0), node.flags.get("split")
        if sizes is None:
            size, parts = normal.values[node.inputs[0]].shape[axis], len(node.outputs)
            each = -(-size // parts)
            sizes = [min(each, max(0, size - k * each)) for k in range(parts)]
        stored = normal.constant(node.output, np.asarray(sizes, np.int64))
        return [Node("Split", [node.inputs[0], stored], node.outputs, {"axis": axis}, node.layer)]
