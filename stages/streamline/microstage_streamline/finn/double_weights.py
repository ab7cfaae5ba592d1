"""Double weights of 0 and 1, which FINN writes no C++ for."""

from __future__ import annotations

import numpy as np
import onnx
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.base import Transformation

__all__ = ["DoubleWeights"]


class DoubleWeights(Transformation):
    """x @ w >= t is x @ 2w >= 2t.

    Weights of 0 and 1, as an average over a window has them, are `BINARY` to FINN, and its matrix and vector units are
    for bits that stand for -1 and 1 alone. Those of a layer whose sums only thresholds read become 0 and 2, a `UINT2`.
    """

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        """Double the weights, sums and thresholds of every layer that can have it."""
        for node in model.graph.node:
            readers = [] if node.output[0] in _answers(model) else model.find_consumers(node.output[0])
            if node.op_type == "MatMul" and [reader.op_type for reader in readers] == ["MultiThreshold"]:
                _double(model, node, readers[0])
        return model, False


def _double(model: ModelWrapper, node: onnx.NodeProto, thresholds: onnx.NodeProto) -> None:
    weights, rows = model.get_initializer(node.input[1]), model.get_initializer(thresholds.input[1])
    shared = any(len(model.find_consumers(reader.input[1])) > 1 for reader in (node, thresholds))
    if weights is None or rows is None or shared or not np.array_equal(np.unique(weights), [0, 1]):
        return
    for name, values in ((node.input[1], 2 * weights), (thresholds.input[1], 2 * rows)):
        model.set_initializer(name, values.astype(np.float32))
        model.set_tensor_datatype(name, _holding(values.min(), values.max()))
    sums = model.get_tensor_datatype(node.output[0])
    model.set_tensor_datatype(node.output[0], _holding(2 * sums.min(), 2 * sums.max()))


def _holding(low: float, high: float) -> DataType:
    """Return the narrowest type of FINN's that has both integers."""
    return DataType.get_smallest_possible(min(float(low), -float(high) - 1) if low < 0 else float(high))


def _answers(model: ModelWrapper) -> set[str]:
    return {value.name for value in model.graph.output}
