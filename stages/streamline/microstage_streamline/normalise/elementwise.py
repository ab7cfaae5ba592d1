"""Bring operators of each element into the few forms that integers are made of."""

from __future__ import annotations

import numpy as np

from microstage.integer import QTensor
from microstage.integer.arithmetic import same_scale, small_ratio
from microstage.integer.registry import POINTWISE, named
from microstage.integer.tensor import real
from microstage_streamline.graph.graph import Node, is_quantised
from microstage_streamline.normalise.normal_graph import NormalGraph
from microstage_streamline.normalise.rewrite import Rewrite, matched

_NEAR = 2.0**-22  # of a whole number: what float32 can say of a ratio


class TwoAtATime(Rewrite):
    """f(a, b, c) = f(f(a, b), c), those that are computed first; a mean is a sum, divided by how many there are."""

    operators = ("Sum", "Mean", "Min", "Max")

    def matches(self, normal: NormalGraph, node: Node) -> bool:
        computed = [normal.is_constant(name) for name in node.inputs]
        return node.op in ("Sum", "Mean") or len(node.inputs) != 2 or computed == [True, False]

    def rewrite(self, normal: NormalGraph, node: Node) -> list[Node]:
        if node.op == "Mean":
            total, count = f"{node.output}.total", normal.constant(node.output, np.float32(len(node.inputs)))
            return [
                Node("Sum", node.inputs, [total], {}, node.layer),
                Node("Div", [total, count], node.outputs, {}, node.layer),
            ]
        terms, nodes = sorted(node.inputs, key=normal.is_constant), []
        if len(terms) == 1:
            return [Node("Identity", terms, node.outputs, {}, node.layer)]
        op, source = {"Sum": "Add"}.get(node.op, node.op), terms[0]
        for place, term in enumerate(terms[1:], 2):
            output = node.outputs if place == len(terms) else [f"{node.output}.of{place}"]
            nodes.append(Node(op, [source, term], output, {}, node.layer))
            source = output[0]
        return nodes


class ComputedFirst(Rewrite):
    """c > x is x < c."""

    operators = ("Greater", "GreaterOrEqual", "Less", "LessOrEqual")

    def matches(self, normal: NormalGraph, node: Node) -> bool:
        return normal.is_constant(node.inputs[0]) and not normal.is_constant(node.inputs[1])

    def rewrite(self, normal: NormalGraph, node: Node) -> list[Node]:
        other = {"Greater": "Less", "Less": "Greater"}
        op = other.get(node.op) or f"{other[node.op.removesuffix('OrEqual')]}OrEqual"
        return [Node(op, node.inputs[::-1], node.outputs, {}, node.layer)]


class WholeShift(Rewrite):
    """s i + c = s (i + c / s), c - s i likewise.

    Precondition: c / s is whole to within what float32 can say, and something needs the integers before they are
    rounded again (otherwise the sum stays as the file evaluates it, to the last bit).
    """

    operators = ("Add", "Sub")

    def matches(self, normal: NormalGraph, node: Node) -> bool:
        return self.whole(normal, node.inputs) is not None and normal.reaches_integers(node.output)

    def rewrite(self, normal: NormalGraph, node: Node) -> list[Node]:
        place, whole = matched(self.whole(normal, node.inputs))
        inputs = list(node.inputs)
        inputs[place] = normal.constant(inputs[place], whole)
        return [Node(node.op, inputs, node.outputs, {}, node.layer)]

    @staticmethod
    def whole(normal: NormalGraph, names: list[str]) -> tuple[int, QTensor] | None:
        """Return (which of two tensors is the constant, its integers)."""
        for place, name in enumerate(names):
            constant, value = normal.graph.constants.get(name), normal.values.get(names[1 - place])
            scale = np.asarray(getattr(value, "scale", 1.0), np.float64)
            if constant is None or is_quantised(constant) or not is_quantised(value) or scale.size != 1:
                continue
            if normal.is_constant(names[1 - place]):
                return None
            scale = scale.reshape(())
            levels = real(constant) / scale
            whole = np.rint(levels)
            if (np.abs(levels - whole) <= _NEAR * np.abs(whole)).all() and np.abs(whole).max(initial=0) < 2**31:
                return place, QTensor(whole.astype(np.int64), scale)
        return None


class CommonStep(Rewrite):
    """s a + t b = g (p a + r b) for s = p g, t = r g.

    Precondition: p and r are small whole numbers, to within what float32 can say, and something needs the integers
    before they are rounded again.
    """

    operators = ("Add", "Sub")

    def matches(self, normal: NormalGraph, node: Node) -> bool:
        computed = [normal.values.get(name) for name in node.inputs if not normal.is_constant(name)]
        values = [value for value in computed if isinstance(value, QTensor)]
        if len(values) < len(node.inputs):
            return False
        apart = not same_scale(*(value.scale for value in values)) and small_ratio(*values) is not None
        return apart and normal.reaches_integers(node.output)

    def rewrite(self, normal: NormalGraph, node: Node) -> list[Node]:
        nodes: list[Node] = []
        terms: list[str] = []
        factors = matched(small_ratio(*(normal.values[name] for name in node.inputs)))
        for name, factor in zip(node.inputs, factors):
            times = normal.constant(name, QTensor(np.asarray(factor), np.float64(1) / factor))
            terms.append(f"{node.output}.of{len(terms)}")
            nodes.append(Node("Mul", [name, times], terms[-1:], {}, node.layer))
        return [*nodes, Node(node.op, terms, node.outputs, {}, node.layer)]


class WholeFactor(Rewrite):
    """s i c = s (i c), c of whole numbers that are not all positive (a mask, or a sign), or where s is 1, as FINN
    multiplies streams. Precondition: as of `WholeShift`.
    """

    operators = ("Mul",)

    def matches(self, normal: NormalGraph, node: Node) -> bool:
        place, factor = next(
            ((p, f) for p, n in enumerate(node.inputs) if (f := normal.graph.constants.get(n)) is not None), (0, None)
        )
        other = node.inputs[1 - place]
        if (
            factor is None
            or is_quantised(factor)
            or normal.is_constant(other)
            or not is_quantised(normal.values.get(other))
        ):
            return False
        levels, ones = real(factor), np.all(np.asarray(getattr(normal.values[other], "scale", 1.0)) == 1)
        whole = (levels == np.rint(levels)).all() and np.abs(levels).max(initial=0) < 2**31
        return bool(whole and (ones or levels.min(initial=1) <= 0) and normal.reaches_integers(node.output))

    def rewrite(self, normal: NormalGraph, node: Node) -> list[Node]:
        place = int(normal.is_constant(node.inputs[1]))
        inputs = list(node.inputs)
        whole = real(normal.graph.constants[inputs[place]]).astype(np.int64)
        inputs[place] = normal.constant(inputs[place], QTensor(whole, np.float64(1)))
        return [Node("Mul", inputs, node.outputs, {}, node.layer)]


class BroadcastFirst(Rewrite):
    """x that a constant makes larger is made so first, so that each value is a function of one.

    Precondition: x alone is computed.
    """

    operators = (
        "Add",
        "Sub",
        "Mul",
        "Div",
        "Min",
        "Max",
        "Pow",
        "PRelu",
        "Where",
        "Greater",
        "GreaterOrEqual",
        "Less",
        "LessOrEqual",
        "Equal",
    )

    def matches(self, normal: NormalGraph, node: Node) -> bool:
        computed = [name for name in node.inputs if not normal.is_constant(name)]
        if (
            named(node.op).kind not in POINTWISE
            or len(set(computed)) != 1
            or any(n not in normal.values for n in node.inputs)
        ):
            return False
        return tuple(normal.values[computed[0]].shape) != self._shape(normal, node)

    def rewrite(self, normal: NormalGraph, node: Node) -> list[Node]:
        name = next(name for name in node.inputs if not normal.is_constant(name))
        large = f"{node.output}.large"
        sizes = normal.constant(node.output, np.asarray(self._shape(normal, node), np.int64))
        inputs = [large if other == name else other for other in node.inputs]
        return [
            Node("Expand", [name, sizes], [large], {}, node.layer),
            Node(node.op, inputs, node.outputs, node.flags, node.layer),
        ]

    @staticmethod
    def _shape(normal: NormalGraph, node: Node) -> tuple[int, ...]:
        return np.broadcast_shapes(*(np.shape(getattr(v, "ints", v)) for v in (normal.values[n] for n in node.inputs)))
