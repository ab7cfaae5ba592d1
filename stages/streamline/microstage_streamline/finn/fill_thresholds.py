"""Fill up rows of thresholds that FINN's RTL would read from the wrong memories."""

from __future__ import annotations

import numpy as np
import onnx
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import getCustomOp
from qonnx.transformation.base import Transformation

__all__ = ["FillThresholds"]


class FillThresholds(Transformation):
    """bias + count(x >= t) = (bias - n) + count(x >= [least] * n + t), with `least` the least integer of x's type.

    finn-plus 1.6.1 writes a memory for each bit of the output, as for 2^bits - 1 thresholds, and its RTL searches in
    clog2(N + 1) of them. With N below 2^(bits - 1) these are not the same ones. Where the bias has no room, as many
    thresholds that nothing reaches stand behind the row.
    """

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        """Fill the thresholds of every node that has too few."""
        for node in model.graph.node:
            if node.op_type == "MultiThreshold":
                _fill(model, node)
        return model, False


def _fill(model: ModelWrapper, node: onnx.NodeProto) -> None:
    op, thresholds = getCustomOp(node), model.get_initializer(node.input[1])
    taken, kind = (model.get_tensor_datatype(name) for name in (node.input[0], node.output[0]))
    kind = kind if kind.is_integer() else DataType[op.get_nodeattr("out_dtype")]  # FINN takes that of the tensor
    lacking = 2 ** (kind.bitwidth() - 1) - thresholds.shape[1]
    if lacking <= 0 or op.get_nodeattr("out_scale") != 1 or kind == DataType["BIPOLAR"]:
        return
    bias = op.get_nodeattr("out_bias")
    before = int(min(lacking, bias - kind.min()))
    ends = ((0, 0), (before, lacking - before))
    filled = np.pad(thresholds, ends, constant_values=((0, 0), (taken.min(), taken.max() + 1)))
    model.set_initializer(node.input[1], filled.astype(np.float32))
    op.set_nodeattr("out_bias", bias - before)
