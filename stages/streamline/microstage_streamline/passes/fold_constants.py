"""Layout changes of dequantised constants move into the constant."""

from __future__ import annotations

import numpy as np
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.base import Transformation

from microstage.integer.interpreter import attributes

__all__ = ["FoldConstantLayout"]


class FoldConstantLayout(Transformation):
    """Transpose(DequantizeLinear(W)) = DequantizeLinear(W transposed). Precondition: W is constant; a scale per channel
    stays on its channel, whose axis moves along."""

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        for node in model.graph.node:
            if node.op_type != "Transpose":
                continue
            source = model.find_producer(node.input[0])
            if source is None or source.op_type != "DequantizeLinear":
                continue
            weight = model.get_initializer(source.input[0])
            if weight is None or len(model.find_consumers(source.output[0])) > 1:
                continue
            order = attributes(node).get("perm", list(range(weight.ndim))[::-1])
            model.set_initializer(source.input[0], np.ascontiguousarray(np.transpose(weight, order)))
            for attribute in source.attribute:
                if attribute.name == "axis":
                    attribute.i = list(order).index(attribute.i % weight.ndim)
            source.output[0] = node.output[0]
            model.graph.node.remove(node)
            return model, True
        return model, False
