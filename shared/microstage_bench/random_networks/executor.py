"""The answer of an executor that is none of ours: onnxruntime without its optimisations, or qonnx for what that does
not know."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper

__all__ = ["execute", "execute_node"]


def execute(model: onnx.ModelProto, inputs: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    """Return the outputs of `model`."""
    if all(not node.domain for node in model.graph.node):
        return _session(model).run(None, dict(inputs))
    values = {**inputs, **{i.name: numpy_helper.to_array(i) for i in model.graph.initializer}}
    opset = next(one.version for one in model.opset_import if not one.domain)
    for node in model.graph.node:  # node by node, as qonnx itself does, but for its checks of shapes
        values.update(execute_node(node, values, opset))
    return [values[output.name] for output in model.graph.output]


def execute_node(node: onnx.NodeProto, values: Mapping[str, np.ndarray], opset: int) -> dict[str, np.ndarray]:
    """Return {output: value} of one node."""
    if node.domain:
        from qonnx.custom_op.registry import getCustomOp

        context = dict(values)
        getCustomOp(node).execute_node(context, None)
        return {name: context[name] for name in node.output}
    names = [name for name in dict.fromkeys(node.input) if name]
    given = {name: np.asarray(values[name]) for name in names}
    kept = [
        numpy_helper.from_array(given.pop(name), name) for name in names if given[name].dtype.kind == "V"
    ]  # which no executor is fed
    ends = [
        helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(v.dtype), v.shape) for n, v in given.items()
    ]
    answers = [onnx.ValueInfoProto(name=name) for name in node.output]
    graph = helper.make_graph([node], "node", ends, answers, kept)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8 if opset < 19 else 10)
    return dict(zip(node.output, _session(model).run(None, given)))


def _session(model: onnx.ModelProto) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level, options.intra_op_num_threads = 3, 1
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
