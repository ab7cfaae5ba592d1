"""The exported graph of one example becomes one of any number."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from microstage.errors import ModelError
from microstage.integer.interpreter import run_node
from microstage.interface.lstm_node import INPUTS, OPERATOR
from microstage_qcdq.graph.build import constants

__all__ = ["AnyBatch"]


class AnyBatch:
    """Reshape(x, [1, ...]) -> Reshape(x, [0, ...]): as many examples out as in.

    Precondition: x follows from an input of the graph and has one example first, as everything that the exporter
    traced. A shape that the graph computes is what it comes to for that example.
    """

    def apply(self, model: onnx.ModelProto) -> tuple[onnx.ModelProto, bool]:
        """Return (model, whether anything changed)."""
        graph, changed = model.graph, False
        reshapes = [node for node in graph.node if node.op_type == "Reshape"]
        known = _of_one_example(graph) if reshapes else {}
        for node in reshapes:
            shape = known.get(node.input[1])
            if node.output[0] in known and shape is not None and len(shape) > 1 and shape[0] == 1:
                name = f"{node.output[0]}.shape"
                graph.initializer.append(numpy_helper.from_array(np.array([0, *shape[1:]], np.int64), name))
                node.input[1], changed = name, True
        return model, changed


def _of_one_example(graph: onnx.GraphProto) -> dict[str, Any]:
    """Return what each tensor is for inputs of zeros, where that is known; of an LSTM, the shape of its outputs."""
    known: dict[str, Any] = dict(constants(graph))
    for value in graph.input:
        known[value.name] = np.zeros([dim.dim_value for dim in value.type.tensor_type.shape.dim])
    for node in graph.node:
        if all(name in known for name in node.input if name):
            try:
                known |= _run(node, known)
            except ModelError:  # an operator that is not known: nor is what follows from it
                continue
    return known


def _run(node: onnx.NodeProto, known: dict[str, Any]) -> dict[str, Any]:
    if node.op_type == "Shape":
        return {node.output[0]: np.array(known[node.input[0]].shape, np.int64)}
    if node.op_type == OPERATOR:
        count, steps, _ = known[node.input[0]].shape
        width = known[node.input[INPUTS.index("weight_hi")]].shape[0]
        shapes = ((count, steps, width), (count, width), (count, width))
        return {name: np.zeros(shape) for name, shape in zip(node.output, shapes)}
    return run_node(node, known)
