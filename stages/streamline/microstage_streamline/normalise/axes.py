"""Count axes from the front, and let slices end inside their tensor, so that all that reads them reads them alike."""

from __future__ import annotations

import numpy as np

from microstage.errors import ModelError
from microstage_streamline.graph.graph import Node
from microstage_streamline.normalise.normal_graph import NormalGraph
from microstage_streamline.normalise.rewrite import Rewrite, matched

_AS_ATTRIBUTE = (
    "ArgMax",
    "ArgMin",
    "Concat",
    "DequantizeLinear",
    "Flatten",
    "Gather",
    "GatherElements",
    "Hardmax",
    "LogSoftmax",
    "QuantizeLinear",
    "Softmax",
    "Split",
    "TopK",
)
_AS_INPUT = {  # the place of the axes among the inputs
    "Squeeze": 1,
    "Unsqueeze": 1,
    "ReduceSum": 1,
    "ReduceMean": 1,
    "ReduceMax": 1,
    "ReduceMin": 1,
    "Pad": 3,
}
_REDUCES = ("ReduceMean", "ReduceMax", "ReduceMin")
_DEFAULTS = {"TopK": -1}


class AxisFromFront(Rewrite):
    """axis -1 of r is axis r - 1. Precondition: the rank is known, and has such an axis; a single number has none."""

    operators = _AS_ATTRIBUTE

    def matches(self, normal: NormalGraph, node: Node) -> bool:
        return node.inputs[0] in normal.values and -len(normal.values[node.inputs[0]].shape) <= self._axis(node) < 0

    def rewrite(self, normal: NormalGraph, node: Node) -> list[Node]:
        axis = self._axis(node) + len(normal.values[node.inputs[0]].shape)
        return [Node(node.op, node.inputs, node.outputs, {**node.flags, "axis": axis}, node.layer)]

    @staticmethod
    def _axis(node: Node) -> int:
        return node.flags.get("axis", _DEFAULTS.get(node.op, 0))


class AxesFromFront(Rewrite):
    """The same of axes that are a constant input; Unsqueeze counts those of its output."""

    operators = tuple(_AS_INPUT)

    def matches(self, normal: NormalGraph, node: Node) -> bool:
        axes = self._axes(normal, node)
        if axes is None or node.inputs[0] not in normal.values:
            return False
        return bool(np.any(axes < 0) and np.all(axes >= -self._rank(normal, node, axes)))

    def rewrite(self, normal: NormalGraph, node: Node) -> list[Node]:
        axes, place = matched(self._axes(normal, node)), _AS_INPUT[node.op]
        rank = self._rank(normal, node, axes)
        stored = normal.constant(node.output, np.where(axes < 0, axes + rank, axes))
        return [Node(node.op, [*node.inputs[:place], stored], node.outputs, node.flags, node.layer)]

    @staticmethod
    def _rank(normal: NormalGraph, node: Node, axes: np.ndarray) -> int:
        return len(normal.values[node.inputs[0]].shape) + (axes.size if node.op == "Unsqueeze" else 0)

    @staticmethod
    def _axes(normal: NormalGraph, node: Node) -> np.ndarray | None:
        place = _AS_INPUT[node.op]
        return normal.graph.constants.get(node.inputs[place]) if len(node.inputs) > place else None


class AxesAsInput(Rewrite):
    """Before opset 18 a reduction has its axes as an attribute."""

    operators = _REDUCES

    def matches(self, normal: NormalGraph, node: Node) -> bool:
        return "axes" in node.flags

    def rewrite(self, normal: NormalGraph, node: Node) -> list[Node]:
        flags = dict(node.flags)
        axes = normal.constant(node.output, np.asarray(flags.pop("axes"), np.int64))
        return [Node(node.op, [node.inputs[0], axes], node.outputs, flags, node.layer)]


class SliceInside(Rewrite):
    """x[start:end:step] with all four inputs, each start and end a place of the tensor, of those axes that lose a
    value.

    Precondition: constants, a shape that is known, and all samples kept. A falling slice to the front ends at
    -(size + 1), as there is no place before the first.
    """

    operators = ("Slice",)

    def matches(self, normal: NormalGraph, node: Node) -> bool:
        known = all(name in normal.graph.constants for name in node.inputs[1:] if name)
        return known and node.inputs[0] in normal.values and not self._is_inside(normal, node)

    def rewrite(self, normal: NormalGraph, node: Node) -> list[Node]:
        inside = self._inside(normal, node)
        if not inside[0]:
            return [Node("Identity", node.inputs[:1], node.outputs, {}, node.layer)]
        stored = [normal.constant(node.output, np.asarray(values, np.int64)) for values in inside]
        return [Node("Slice", [node.inputs[0], *stored], node.outputs, {}, node.layer)]

    def _is_inside(self, normal: NormalGraph, node: Node) -> bool:
        given = [normal.graph.constants.get(name) for name in node.inputs[1:]]
        same = (np.array_equal(found, wanted) for found, wanted in zip(given, self._inside(normal, node)))
        return len(given) == 4 and all(same)

    @staticmethod
    def _inside(normal: NormalGraph, node: Node) -> tuple[list[int], ...]:
        """Return (starts, ends, axes, steps)."""
        starts, ends = (normal.graph.constants[name] for name in node.inputs[1:3])
        axes, steps = [*map(normal.graph.constants.get, node.inputs[3:]), None, None][:2]
        shape = normal.values[node.inputs[0]].shape
        axes = range(len(starts)) if axes is None else [int(axis) % len(shape) for axis in axes]
        steps = [1] * len(starts) if steps is None else [int(step) for step in steps]
        cuts = [
            (*slice(int(a), int(b), step).indices(shape[axis]), axis)
            for a, b, axis, step in zip(starts, ends, axes, steps)
        ]
        cuts = [cut for cut in cuts if cut[:3] != (0, shape[cut[3]], 1)]
        if any(axis == 0 for *_, axis in cuts):
            raise ModelError("it takes some of the samples; cut behind the first axis")
        ends = [end if end >= 0 else -shape[axis] - 1 for _, end, _, axis in cuts]
        return [cut[0] for cut in cuts], ends, [cut[3] for cut in cuts], [cut[2] for cut in cuts]
