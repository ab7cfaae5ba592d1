"""Bring weights whose scale differs along what a product sums over, from one input channel to the next, to one step."""

from __future__ import annotations

import numpy as np

from microstage.errors import ModelError
from microstage.integer import QTensor
from microstage.integer.quantisers import shared_step
from microstage.integer.tensor import narrowed
from microstage_streamline.graph.graph import Node
from microstage_streamline.normalise.normal_graph import NormalGraph
from microstage_streamline.normalise.rewrite import Rewrite


class ShareStep(Rewrite):
    """sum_c x_c s_c w_c = s sum_c x_c (n_c w_c) with s_c = s n_c, n_c whole. Precondition: constant weights.

    Any float32 scales share such a step; where they are no round numbers it is a fine one, and sums are wide.
    """

    operators = ("Conv", "MatMul")

    def matches(self, normal: NormalGraph, node: Node) -> bool:
        value = normal.graph.constants.get(node.inputs[1])
        return isinstance(value, QTensor) and any(_spread(value).shape[axis] > 1 for axis in _summed(node, value))

    def rewrite(self, normal: NormalGraph, node: Node) -> list[Node]:
        value = normal.graph.constants[node.inputs[1]]
        try:
            step, times = shared_step(_spread(value), _summed(node, value))
        except ModelError:
            raise ModelError(
                "its weights have scales of their own for each input channel, too far apart for one sum;"
                " quantise them with one scale for each output channel"
            ) from None
        shared = normal.constant(node.inputs[1], QTensor(value.ints * times, narrowed(step)))
        return [Node(node.op, [node.inputs[0], shared, *node.inputs[2:]], node.outputs, node.flags, node.layer)]


def _summed(node: Node, weight: QTensor) -> tuple[int, ...]:
    """Return the axes that the product sums over."""
    rank = weight.ints.ndim
    return tuple(range(1, rank)) if node.op == "Conv" else (max(0, rank - 2),)


def _spread(weight: QTensor) -> np.ndarray:
    """Return the scale, of the weights' rank."""
    scale = np.asarray(weight.scale, np.float64)
    return narrowed(scale.reshape((1,) * (weight.ints.ndim - scale.ndim) + scale.shape))
