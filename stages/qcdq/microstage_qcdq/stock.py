"""The same graph in operators that stock onnxruntime has."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import helper, numpy_helper

from microstage_qcdq.graphs import constant

__all__ = ["in_stock_operators"]

_LEVELS = {"sign.zero": np.float32(0), "sign.above": np.float32(1), "sign.below": np.float32(-1)}


def in_stock_operators(model: onnx.ModelProto) -> onnx.ModelProto:
    """BipolarQuant(x) = Where(x >= 0, 1, -1), the quantiser being at scale 1; the rest as it is."""
    if not any(node.op_type == "BipolarQuant" for node in model.graph.node):
        return model
    copy = onnx.ModelProto.FromString(model.SerializeToString())
    graph = copy.graph
    nodes = [new for node in graph.node for new in (_sign(node) if node.op_type == "BipolarQuant" else [node])]
    del graph.node[:]
    graph.node.extend(nodes)
    missing = {name: value for name, value in _LEVELS.items() if constant(graph, name) is None}
    graph.initializer.extend(numpy_helper.from_array(np.asarray(value), name) for name, value in missing.items())
    return copy


def _sign(node: onnx.NodeProto) -> list[onnx.NodeProto]:
    zero, above, below = _LEVELS
    reached = helper.make_node("GreaterOrEqual", [node.input[0], zero], [f"{node.output[0]}.reached"])
    return [reached, helper.make_node("Where", [reached.output[0], above, below], [node.output[0]])]
