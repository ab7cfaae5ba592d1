"""Bring sums, means and extremes over any axes into pools: axes that go are turned behind those that stay."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from microstage.errors import ModelError
from microstage.integer import QTensor
from microstage_streamline.graph.graph import Node
from microstage_streamline.normalise.moves import reshaped, transposed
from microstage_streamline.normalise.normal_graph import NormalGraph
from microstage_streamline.normalise.rewrite import Rewrite


class ReductionAsPool(Rewrite):
    """reduce(x) over axes a = pool(x with a last) in the shape that is asked for; a sum is a convolution of each
    channel with ones, and min(x) = -max(-x). Precondition: constant axes, and not that of the samples.
    """

    operators = ("ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin")

    def matches(self, normal: NormalGraph, node: Node) -> bool:
        return node.inputs[0] in normal.values and not normal.is_constant(node.inputs[0])

    def rewrite(self, normal: NormalGraph, node: Node) -> list[Node]:
        shape, axes = normal.values[node.inputs[0]].shape, self._axes(normal, node)
        if not axes:
            return [Node("Identity", node.inputs[:1], node.outputs, {}, node.layer)]
        stay = [axis for axis in range(1, len(shape)) if axis not in axes]
        kept, gone = [shape[axis] for axis in stay], [shape[axis] for axis in axes]
        nodes, source, order = [], node.inputs[0], [0, *stay, *axes]
        if order != list(range(len(shape))):
            nodes.append(transposed(source, f"{node.output}.turned", order, node.layer))
            source = nodes[-1].output
        if len(kept) != 1 or len(gone) > 2:
            kept, gone = [int(np.prod(kept))], [int(np.prod(gone))]
            nodes.append(reshaped(normal, source, f"{node.output}.flat", [*kept, *gone], node.layer))
            source = nodes[-1].output
        nodes += self._pool(normal, node, source, kept, gone)
        keeps = node.flags.get("keepdims", 1)
        sizes = [1 if axis in axes else n for axis, n in enumerate(shape) if axis and (keeps or axis not in axes)]
        return [*nodes, reshaped(normal, nodes[-1].output, node.output, sizes, node.layer)]

    @staticmethod
    def _axes(normal: NormalGraph, node: Node) -> list[int]:
        """Return the axes in rising order; if none are given, all but that of the samples, of which there is one."""
        rank, axes = len(normal.values[node.inputs[0]].shape), node.flags.get("axes")
        if len(node.inputs) > 1 and node.inputs[1]:
            if not normal.is_constant(node.inputs[1]):
                raise ModelError("its axes are computed; expected constants")
            axes = normal.values[node.inputs[1]]
        if axes is None or not len(axes):
            if node.flags.get("noop_with_empty_axes", 0):
                return []
            raise ModelError("it reduces all axes, that of the samples too; give the axes behind it")
        axes = sorted({int(axis) % rank for axis in axes})
        if 0 in axes:
            raise ModelError("it mixes samples; expected axes behind the first")
        return axes

    @staticmethod
    def _pool(normal: NormalGraph, node: Node, source: str, kept: Sequence[int], gone: Sequence[int]) -> list[Node]:
        name, minus, layer = f"{node.output}.pooled", f"{node.output}.minus", node.layer
        if node.op == "ReduceMean":
            return [Node("GlobalAveragePool", [source], [name], {}, layer)]
        if node.op == "ReduceMax":
            return [Node("MaxPool", [source], [name], {"kernel_shape": list(gone)}, layer)]
        if node.op == "ReduceMin":
            most = Node("MaxPool", [minus], [name], {"kernel_shape": list(gone)}, layer)
            return [
                Node("Neg", [source], [minus], {}, layer),
                most,
                Node("Neg", [name], [f"{node.output}.least"], {}, layer),
            ]
        ones = normal.constant(node.output, QTensor(np.ones((kept[0], 1, *gone), np.int64), np.float64(1)))
        return [Node("Conv", [source, ones], [name], {"kernel_shape": list(gone), "group": kept[0]}, layer)]
