"""Dequantisers go: what is left computes on the integers themselves."""

from __future__ import annotations

import numpy as np
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.base import Transformation

from microstage.errors import ModelError

__all__ = ["RemoveScales"]

# Operators that mean the same on integers as on the values they stand for, up to one scale of the whole result.
_EXACT = ("Conv", "MatMul", "Add", "Mul", "Concat", "Split", "MaxPool", "MultiThreshold", "Transpose", "Reshape",
          "Flatten", "Squeeze", "Unsqueeze", "Slice", "Identity", "TopK")


class RemoveScales(Transformation):
    """DequantizeLinear(i) -> i. Precondition: every quantiser is a MultiThreshold by now, and no real constant is left.

    A scale that reached a graph output becomes metadata of the artefact (`interface.json`).
    """

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        dequantisers = [node for node in model.graph.node if node.op_type == "DequantizeLinear"]
        for node in dequantisers:
            self._bypass(model, node)
        self._refuse_reals(model)
        return model, False

    @staticmethod
    def _bypass(model: ModelWrapper, node) -> None:
        if len(node.input) > 2 and np.any(model.get_initializer(node.input[2])):
            raise ModelError(f"{node.input[0]} has a zero point, which no FINN layer can subtract.")
        weight = model.get_initializer(node.input[0])
        if weight is not None:
            model.set_initializer(node.input[0], weight.astype(np.float32))
        for reader in model.find_consumers(node.output[0]):
            for index, name in enumerate(reader.input):
                if name == node.output[0]:
                    reader.input[index] = node.input[0]
        model.graph.node.remove(node)

    @staticmethod
    def _refuse_reals(model: ModelWrapper) -> None:
        used = {name for node in model.graph.node for name in node.input}
        for initializer in [i for i in model.graph.initializer if i.name not in used]:
            model.graph.initializer.remove(initializer)
        for node in model.graph.node:
            if node.op_type not in _EXACT:
                raise ModelError(f"{node.op_type} -> {node.output[0]} could not be made integer: no quantiser follows it.")
            for name in node.input:
                value = model.get_initializer(name)
                if value is not None and np.issubdtype(value.dtype, np.floating) and np.any(value != np.rint(value)):
                    raise ModelError(f"{node.op_type} -> {node.output[0]} reads the real constant {name}; expected integers.")
