"""Recognise weights that ordinary operators dequantise: whole numbers cast, less a zero point, times a scale, moved."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np

from microstage.integer import QTensor
from microstage.integer.tensor import narrowed, real
from microstage_streamline.graph.graph import Node
from microstage_streamline.normalise.folded import folded
from microstage_streamline.normalise.normal_graph import NormalGraph
from microstage_streamline.normalise.rewrite import Rewrite

_PRODUCTS = ("Conv", "ConvTranspose", "MatMul", "Gemm")
_KEEPS = (
    "Cast",
    "Mul",
    "Div",
    "Sub",
    "Add",
    "Identity",
    "Transpose",
    "Reshape",
    "Squeeze",
    "Unsqueeze",
    "Flatten",
    "Slice",
    "Concat",
    "Split",
    "Gather",
    "Tile",
    "Expand",
)
_STORED = (np.int8, np.uint8, np.int16, np.uint16, np.int32)


class _OfConstants(Rewrite):
    """Precondition of all: constants alone, which become the weights of products and nothing else."""

    def matches(self, normal: NormalGraph, node: Node) -> bool:
        stored = all(normal.is_constant(name) for name in node.inputs if name)
        return (
            stored
            and self.applies([normal.values[name] for name in node.inputs], node)
            and _are_weights(normal, node.output)
        )

    @abstractmethod
    def applies(self, values, node) -> bool:
        """Tell whether the algebra holds for these constants."""

    @abstractmethod
    def made(self, normal: NormalGraph, node: Node) -> QTensor:
        """Return the quantised constant."""

    def rewrite(self, normal: NormalGraph, node: Node) -> list[Node]:
        normal.graph.constants[node.output] = normal.values[node.output] = self.made(normal, node)
        normal.origin[node.output] = normal.origin.get(node.inputs[0], node.inputs[0])
        return []


def _are_weights(normal: NormalGraph, name: str) -> bool:
    readers = normal.readers(name)
    return (
        bool(readers) and name not in normal.graph.outputs and all(_is_weight(normal, node, name) for node in readers)
    )


def _is_weight(normal: NormalGraph, node: Node, name: str) -> bool:
    if node.op in _PRODUCTS:
        return name in node.inputs[1:2]
    return (
        node.op in _KEEPS
        and all(not n or normal.is_fixed(n) for n in node.inputs)
        and _are_weights(normal, node.output)
    )


class IntegersAsReals(_OfConstants):
    """float(i) = 1 i."""

    operators = ("Cast",)

    def applies(self, values, node):
        return isinstance(values[0], np.ndarray) and values[0].dtype in _STORED and node.flags["to"] in (1, 10, 11)

    def made(self, normal: NormalGraph, node: Node):
        return QTensor(normal.values[node.inputs[0]].astype(np.int64), np.float64(1))


class ScaledWeights(_OfConstants):
    """(s i) a = (s |a|) (sign(a) i), channel by channel; where a is 0, 0."""

    operators = ("Mul", "Div")

    def applies(self, values, node):
        quantised = [isinstance(value, QTensor) for value in values]
        if sorted(quantised) != [False, True] or node.op == "Div" and not quantised[0]:
            return False
        return np.broadcast_shapes(*(value.shape for value in values)) == values[quantised.index(True)].shape

    def made(self, normal: NormalGraph, node: Node):
        weight, factor = sorted(
            (normal.values[name] for name in node.inputs), key=lambda value: not isinstance(value, QTensor)
        )
        factor = 1 / real(factor) if node.op == "Div" else real(factor)
        sign, size = np.sign(factor).astype(np.int64), np.where(factor == 0, 1, np.abs(factor))
        return QTensor(weight.ints * sign, narrowed(np.asarray(np.asarray(weight.scale) * size)))


class ShiftedWeights(_OfConstants):
    """s i - c = s (i - c / s). Precondition: c / s is whole."""

    operators = ("Sub", "Add")

    def applies(self, values, node):
        if not isinstance(values[0], QTensor) or isinstance(values[1], QTensor):
            return False
        levels = self._levels(*values)
        return np.broadcast_shapes(levels.shape, values[0].shape) == values[0].shape and bool(
            np.all(levels == np.rint(levels))
        )

    def made(self, normal: NormalGraph, node: Node):
        weight, shift = (normal.values[name] for name in node.inputs)
        sign = 1 if node.op == "Add" else -1
        return QTensor(weight.ints + sign * self._levels(weight, shift).astype(np.int64), weight.scale)

    @staticmethod
    def _levels(weight, shift) -> np.ndarray:
        return real(shift) / np.asarray(weight.scale)


class RepeatedWeights(_OfConstants):
    """Copies of integers, each with its scale."""

    operators = ("Tile", "Expand")

    def applies(self, values, node):
        return isinstance(values[0], QTensor)

    def made(self, normal: NormalGraph, node: Node):
        weight, others = normal.values[node.inputs[0]], {name: normal.values[name] for name in node.inputs[1:]}
        scales = np.ascontiguousarray(np.broadcast_to(np.asarray(weight.scale, np.float64), weight.shape))
        ints, scale = (
            folded(node, {node.inputs[0]: value, **others}, normal.graph.opset)[node.output]
            for value in (weight.ints, scales)
        )
        return QTensor(ints, narrowed(scale))
