"""Gemm -> MatMul and Add."""

from __future__ import annotations

from onnx import helper
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.base import Transformation

from microstage.errors import ModelError
from microstage.integer.interpreter import attributes

__all__ = ["LowerGemm"]


class LowerGemm(Transformation):
    """Gemm(a, b, c) = a b (+ c): MatMul(a, Transpose(b)) then Add. Precondition: alpha = beta = 1, a not transposed."""

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        for place, node in enumerate(model.graph.node):
            if node.op_type == "Gemm":
                self._lower(model, place, node)
                return model, True
        return model, False

    def _lower(self, model: ModelWrapper, place: int, node) -> None:
        flags = attributes(node)
        if flags.get("alpha", 1.0) != 1.0 or flags.get("beta", 1.0) != 1.0 or flags.get("transA", 0):
            raise ModelError(f"{node.output[0]}: a Gemm with alpha, beta or transA is not supported.")
        a, b, *bias = node.input
        nodes = []
        if flags.get("transB", 0):
            nodes.append(helper.make_node("Transpose", [b], [f"{node.output[0]}.weight"], perm=[1, 0]))
            b = f"{node.output[0]}.weight"
        product = f"{node.output[0]}.product" if bias else node.output[0]
        nodes.append(helper.make_node("MatMul", [a, b], [product]))
        if bias:
            nodes.append(helper.make_node("Add", [product, bias[0]], [node.output[0]]))
        model.graph.node.remove(node)
        for offset, new in enumerate(nodes):
            model.graph.node.insert(place + offset, new)
