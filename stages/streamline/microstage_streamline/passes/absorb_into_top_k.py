"""What leaves the order of scores as it is goes."""

from __future__ import annotations

import numpy as np
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.base import Transformation

from microstage.errors import ModelError

__all__ = ["AbsorbIntoTopK"]


class AbsorbIntoTopK(Transformation):
    """TopK(a x + b) = TopK(x) for a > 0, TopK(-x) for a < 0, as far as places go: one a and b for all scores.

    Precondition: Add, Sub, Mul or Div by one constant, read by the TopK alone, whose values nobody reads. A negative a
    negates the weights of the product before it. Places stay those of the reference, which has the same integers before a and b.
    """

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        for node in model.graph.node:
            if node.op_type == "TopK" and self._absorb(model, node):
                return model, True
        return model, False

    def _absorb(self, model: ModelWrapper, top) -> bool:
        step = model.find_producer(top.input[0])
        if step is None or step.op_type not in ("Add", "Sub", "Mul", "Div") or model.is_fork_node(step) or model.find_consumers(top.output[0]):
            return False
        constant = model.get_initializer(step.input[1])
        if constant is None or constant.size != 1:
            return False
        factor = float(constant.reshape(-1)[0]) if step.op_type in ("Mul", "Div") else 1.0
        if factor == 0 or not np.isfinite(factor):
            raise ModelError(f"{step.output[0]} multiplies every score by {factor:g}; there is no order left.")
        if factor < 0:
            self._negate(model, step)
        top.input[0] = step.input[0]
        model.graph.node.remove(step)
        return True

    @staticmethod
    def _negate(model: ModelWrapper, step) -> None:
        product = model.find_producer(step.input[0])
        while product is not None and product.op_type in ("Add", "Sub", "Mul", "Div"):
            product = model.find_producer(product.input[0])
        maker = model.find_producer(product.input[1]) if product is not None and product.op_type == "MatMul" else None
        weight = model.get_initializer(maker.input[0]) if maker is not None and maker.op_type == "DequantizeLinear" else None
        if weight is None or weight.min() == np.iinfo(weight.dtype).min:
            raise ModelError(f"{step.output[0]} reverses the order of scores whose weights cannot be negated.")
        model.set_initializer(maker.input[0], -weight)
