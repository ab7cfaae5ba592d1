"""Rewrite Where, of several tensors, as the sums and products that it is of integers."""

from __future__ import annotations

import numpy as np

from microstage.integer import QTensor
from microstage.integer.arithmetic import same_scale
from microstage.integer.tensor import real
from microstage_streamline.graph.graph import Node, is_quantised
from microstage_streamline.normalise.elementwise import WholeShift
from microstage_streamline.normalise.normal_graph import NormalGraph
from microstage_streamline.normalise.rewrite import Rewrite, matched


class WholeBranch(Rewrite):
    """A constant that is chosen beside s i is s (c / s).

    Precondition: c / s is whole to within what float32 can say.
    """

    operators = ("Where",)

    def matches(self, normal: NormalGraph, node: Node) -> bool:
        return not normal.is_constant(node.inputs[0]) and WholeShift.whole(normal, node.inputs[1:]) is not None

    def rewrite(self, normal: NormalGraph, node: Node) -> list[Node]:
        place, whole = matched(WholeShift.whole(normal, node.inputs[1:]))
        inputs = list(node.inputs)
        inputs[1 + place] = normal.constant(node.output, whole)
        return [Node("Where", inputs, node.outputs, {}, node.layer)]


class ChooseByProduct(Rewrite):
    """Where(c, a, b) = c (a - b) + b, c being 1 or 0.

    Precondition: a and b are integers at one scale, and c or they are no function of one tensor alone, which thresholds
    would be.
    """

    operators = ("Where",)

    def matches(self, normal: NormalGraph, node: Node) -> bool:
        sides = [normal.values.get(name) for name in node.inputs[1:]]
        scales = [side.scale for side in sides if isinstance(side, QTensor)]
        whole = len(scales) == len(sides) and same_scale(*scales)
        return whole and len(set().union(*(self._roots(normal, name) for name in node.inputs))) > 1

    def rewrite(self, normal: NormalGraph, node: Node) -> list[Node]:
        condition, first, other = node.inputs
        chosen, apart, taken = (f"{node.output}.{what}" for what in ("chosen", "apart", "taken"))
        cast, stored = Node("Cast", [condition], [chosen], {"to": 1}, node.layer), normal.graph.constants.get(other)
        if stored is not None and not np.any(real(stored)):
            return [cast, Node("Mul", [chosen, first], node.outputs, {}, node.layer)]
        steps = [
            ("Sub", [first, other], [apart]),
            ("Mul", [chosen, apart], [taken]),
            ("Add", [taken, other], node.outputs),
        ]
        return [cast, *(Node(op, inputs, outputs, {}, node.layer) for op, inputs, outputs in steps)]

    def _roots(self, normal: NormalGraph, name: str) -> set[str]:
        """Return the integers, or inputs, that a tensor is a function of."""
        maker = normal.makers.get(name)
        if normal.is_constant(name):
            return set()
        if maker is None or is_quantised(normal.values.get(name)):
            return {name}
        return set().union(*(self._roots(normal, source) for source in maker.inputs if source))
