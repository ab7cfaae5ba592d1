"""Merge two products that are summed into one."""

from __future__ import annotations

import numpy as np
from onnx import helper
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.base import Transformation

__all__ = ["MergeSummedProducts"]


class MergeSummedProducts(Transformation):
    """a W + b U = [a b] [W; U]: one matrix unit instead of two and an adder.

    Precondition: integers, constant W and U of equal width, and nobody else reads the two products. Gates that join the
    same pair share the joined vector.
    """

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        for node in model.graph.node:
            products = [model.find_producer(name) for name in node.input] if node.op_type == "Add" else []
            if len(products) == 2 and all(self._mergeable(model, product) for product in products):
                self._merge(model, node, *products)
                return model, True
        return model, False

    @staticmethod
    def _mergeable(model: ModelWrapper, node) -> bool:
        return (
            node is not None
            and node.op_type == "MatMul"
            and model.get_initializer(node.input[1]) is not None
            and len(model.find_consumers(node.output[0])) == 1
        )

    @staticmethod
    def _merge(model: ModelWrapper, add, first, second) -> None:
        inputs = [first.input[0], second.input[0]]
        joined = next(
            (n.output[0] for n in model.graph.node if n.op_type == "Concat" and list(n.input) == inputs), None
        )
        weights = [model.get_initializer(node.input[1]) for node in (first, second)]
        place = min(list(model.graph.node).index(node) for node in (first, second))
        new = []
        if joined is None:
            joined = "_and_".join(inputs)
            new.append(helper.make_node("Concat", inputs, [joined], axis=-1))
        name = f"{add.output[0]}.weights"
        new.append(helper.make_node("MatMul", [joined, name], [add.output[0]]))
        model.set_initializer(name, np.concatenate(weights, axis=0))
        for node in (first, second, add):
            model.graph.node.remove(node)
        for offset, node in enumerate(new):
            model.graph.node.insert(place + offset, node)
