"""Bring places and values of the smallest, or of what keeps another tensor's order, into those of the largest."""

from __future__ import annotations

import numpy as np

from microstage.errors import ModelError
from microstage_streamline.graph.graph import Node
from microstage_streamline.normalise.normal_graph import NormalGraph
from microstage_streamline.normalise.rewrite import Rewrite


class LeastAsLargest(Rewrite):
    """The smallest of x are the largest of -x."""

    operators = ("ArgMin", "TopK")

    def matches(self, normal: NormalGraph, node: Node) -> bool:
        return node.op == "ArgMin" or not node.flags.get("largest", 1)

    def rewrite(self, normal: NormalGraph, node: Node) -> list[Node]:
        minus = f"{node.output}.minus"
        turned = Node("Neg", node.inputs[:1], [minus], {}, node.layer)
        if node.op == "ArgMin":
            return [turned, Node("ArgMax", [minus], node.outputs, node.flags, node.layer)]
        flags = {name: value for name, value in node.flags.items() if name != "largest"}
        values = f"{node.output}.largest"
        return [
            turned,
            Node("TopK", [minus, *node.inputs[1:]], [values, *node.outputs[1:]], flags, node.layer),
            Node("Neg", [values], node.outputs[:1], {}, node.layer),
        ]


class InOrder(Rewrite):
    """The largest alone has an order. Precondition: one is asked for, where any order is allowed."""

    operators = ("TopK",)

    def matches(self, normal: NormalGraph, node: Node) -> bool:
        if node.flags.get("sorted", 1):
            return False
        if np.any(np.asarray(normal.graph.constants.get(node.inputs[1], 2)) != 1):
            raise ModelError(
                "it gives the largest in any order (sorted=0), which is no fixed answer; export it with sorted=1"
            )
        return True

    def rewrite(self, normal: NormalGraph, node: Node) -> list[Node]:
        return [Node("TopK", node.inputs, node.outputs, {**node.flags, "sorted": 1}, node.layer)]


class OrderOfLogits(Rewrite):
    """The place of the largest of softmax(x) is that of x. Precondition: along the axis of the softmax."""

    operators = ("ArgMax",)

    def matches(self, normal: NormalGraph, node: Node) -> bool:
        maker = normal.makers.get(node.inputs[0])
        if maker is None or maker.op not in ("Softmax", "LogSoftmax") or maker.inputs[0] not in normal.values:
            return False
        rank = len(normal.values[maker.inputs[0]].shape)
        return node.flags.get("axis", 0) % rank == maker.flags.get("axis", -1) % rank

    def rewrite(self, normal: NormalGraph, node: Node) -> list[Node]:
        return [Node("ArgMax", normal.makers[node.inputs[0]].inputs[:1], node.outputs, node.flags, node.layer)]
