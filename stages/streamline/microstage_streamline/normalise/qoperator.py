"""Rewrite operators of onnxruntime's QOperator format: each is dequantise, operate, quantise."""

from __future__ import annotations

import numpy as np

from microstage.errors import ModelError
from microstage.integer import QTensor
from microstage.integer.tensor import real
from microstage_streamline.graph.graph import Node
from microstage_streamline.normalise.normal_graph import NormalGraph
from microstage_streamline.normalise.rewrite import Rewrite

_ONE_TENSOR = {
    "QLinearLeakyRelu": "LeakyRelu",
    "QLinearSigmoid": "Sigmoid",
    "QLinearAveragePool": "AveragePool",
    "QLinearGlobalAveragePool": "GlobalAveragePool",
    "QLinearReduceMean": "ReduceMean",
}
_TWO_TENSORS = {"QLinearAdd": "Add", "QLinearMul": "Mul", "QLinearMatMul": "MatMul"}


class _QOperator(Rewrite):
    """Builds: (x, scale, zero point) -> a real tensor, and back."""

    def matches(self, normal: NormalGraph, node: Node) -> bool:
        return True

    @staticmethod
    def real(normal: NormalGraph, node: Node, place: int, given: list[str], nodes: list[Node], axis: int = 1) -> str:
        """Return the name of a tensor's values; `given` are the names of (tensor, scale, zero point)."""
        tensor, *parameters = [name for name in given if name]
        name = f"{node.output}.real{place}"
        nodes.append(Node("DequantizeLinear", [tensor, *parameters], [name], {"axis": axis}, node.layer))
        return name

    @staticmethod
    def quantised(node: Node, source: str, given: list[str]) -> Node:
        return Node("QuantizeLinear", [source, *(name for name in given if name)], node.outputs, {}, node.layer)

    @staticmethod
    def bias(normal: NormalGraph, name: str, scales: list[str], factor: float = 1.0) -> str:
        """Dequantise an int32 bias at the scale of the products."""
        if not all(map(normal.is_constant, (name, *scales))):
            raise ModelError("its bias is not constant")
        scale = np.float64(factor)
        for other in scales:
            scale = scale * real(normal.values[other])
        scale = scale.reshape(()) if np.size(scale) == 1 else scale.reshape(-1)
        return normal.constant(name, QTensor(np.asarray(normal.values[name], np.int64), scale))


class OfOneTensor(_QOperator):
    """q(f(s (x - z)))."""

    operators = tuple(_ONE_TENSOR)

    def rewrite(self, normal: NormalGraph, node: Node) -> list[Node]:
        nodes: list[Node] = []
        inputs = [*node.inputs, "", ""][:5]
        flags = {name: value for name, value in node.flags.items() if name != "channels_last"}
        source, result = self.real(normal, node, 0, inputs[:3], nodes), f"{node.output}.result"
        if node.flags.get("channels_last", 0):
            raise ModelError("it works channels last; expected channels first")
        return [
            *nodes,
            Node(_ONE_TENSOR[node.op], [source], [result], flags, node.layer),
            self.quantised(node, result, inputs[3:]),
        ]


class OfTwoTensors(_QOperator):
    """q(f(s (x - z), t (y - v))); columns of a matrix may have scales of their own."""

    operators = tuple(_TWO_TENSORS)

    def rewrite(self, normal: NormalGraph, node: Node) -> list[Node]:
        nodes: list[Node] = []
        inputs, result = [*node.inputs, ""][:8], f"{node.output}.result"
        last = len(normal.values[inputs[3]].shape) - 1 if inputs[3] in normal.values else 1
        sides = [self.real(normal, node, 0, inputs[:3], nodes), self.real(normal, node, 1, inputs[3:6], nodes, last)]
        return [
            *nodes,
            Node(_TWO_TENSORS[node.op], sides, [result], {}, node.layer),
            self.quantised(node, result, inputs[6:]),
        ]


class QuantisedConv(_QOperator):
    """q(s (x - z) * t (w - v) + s t b)."""

    operators = ("QLinearConv",)

    def rewrite(self, normal: NormalGraph, node: Node) -> list[Node]:
        nodes: list[Node] = []
        result = f"{node.output}.result"
        sides = [
            self.real(normal, node, 0, node.inputs[:3], nodes),
            self.real(normal, node, 1, node.inputs[3:6], nodes, 0),
        ]
        if len(node.inputs) > 8 and node.inputs[8]:
            sides.append(self.bias(normal, node.inputs[8], [node.inputs[1], node.inputs[4]]))
        return [
            *nodes,
            Node("Conv", sides, [result], node.flags, node.layer),
            self.quantised(node, result, node.inputs[6:8]),
        ]


class QuantisedGemm(_QOperator):
    """q(alpha s (a - z) t (b - v) + alpha s t c), or the values themselves where no scale is given for them."""

    operators = ("QGemm",)

    def rewrite(self, normal: NormalGraph, node: Node) -> list[Node]:
        nodes: list[Node] = []
        inputs, alpha = [*node.inputs, "", "", ""][:9], node.flags.get("alpha", 1.0)
        result = f"{node.output}.result" if inputs[7] else node.output
        columns = 0 if node.flags.get("transB", 0) else 1
        sides = [self.real(normal, node, 0, inputs[:3], nodes), self.real(normal, node, 1, inputs[3:6], nodes, columns)]
        if inputs[6]:
            sides.append(self.bias(normal, inputs[6], [inputs[1], inputs[4]], alpha))
        nodes.append(Node("Gemm", sides, [result], node.flags, node.layer))
        return [*nodes, self.quantised(node, result, inputs[7:])] if inputs[7] else nodes


class OfIntegers(_QOperator):
    """Products of integers less their zero points: values at scale 1."""

    operators = ("ConvInteger", "MatMulInteger")

    def rewrite(self, normal: NormalGraph, node: Node) -> list[Node]:
        nodes: list[Node] = []
        one = normal.constant(node.output, np.float32(1))
        inputs = [*node.inputs, "", ""][:4]
        sides = [self.real(normal, node, place, [inputs[place], one, inputs[2 + place]], nodes) for place in (0, 1)]
        return [*nodes, Node(node.op.removesuffix("Integer"), sides, node.outputs, node.flags, node.layer)]


class QuantisedConcat(_QOperator):
    """q(s (x - z), t (y - v), ...), joined."""

    operators = ("QLinearConcat",)

    def rewrite(self, normal: NormalGraph, node: Node) -> list[Node]:
        nodes: list[Node] = []
        inputs, result = node.inputs, f"{node.output}.result"
        parts = [self.real(normal, node, at, inputs[at : at + 3], nodes) for at in range(2, len(inputs), 3)]
        return [
            *nodes,
            Node("Concat", parts, [result], node.flags, node.layer),
            self.quantised(node, result, inputs[:2]),
        ]


class QuantisedWhere(_QOperator):
    """q(c ? s (x - z) : t (y - v))."""

    operators = ("QLinearWhere",)

    def rewrite(self, normal: NormalGraph, node: Node) -> list[Node]:
        nodes: list[Node] = []
        inputs, result = node.inputs, f"{node.output}.result"
        sides = [self.real(normal, node, at, inputs[at : at + 3], nodes) for at in (1, 4)]
        return [
            *nodes,
            Node("Where", [inputs[0], *sides], [result], {}, node.layer),
            self.quantised(node, result, inputs[7:]),
        ]
