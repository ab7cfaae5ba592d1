"""Cutting the network at its LSTM into three parts whose borders are integers."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import numpy_helper

from microstage.errors import ModelError
from microstage.signals.gain import WINDOW_SCALE
from microstage_qcdq.graphs import Builder, constant, float_value, int8_value, make_model, subgraph
from microstage_qcdq.lstm_step import Curves, build_lstm_step

__all__ = ["split_at_lstm"]


def split_at_lstm(model: onnx.ModelProto) -> tuple[dict[str, onnx.ModelProto], Curves]:
    """({"cnn": window -> features, "lstm": one step, "mlp": hidden -> harmonics}, what the step's tables stand for)."""
    graph = model.graph
    cells = [node for node in graph.node if node.op_type == "QuantLSTMCell"]
    if len(cells) != 1:
        raise ModelError(f"Expected one LSTM to split at, found {len(cells)}.")
    step, curves = build_lstm_step(graph, cells[0])
    return {"cnn": _before(graph, cells[0]), "lstm": step, "mlp": _after(graph, cells[0])}, curves


def _initializers(graph: onnx.GraphProto) -> dict[str, np.ndarray]:
    return {i.name: numpy_helper.to_array(i) for i in graph.initializer}


def _before(graph: onnx.GraphProto, cell: onnx.NodeProto) -> onnx.ModelProto:
    features = cell.input[0].removesuffix(".real")
    nodes, sources = subgraph(graph, features, {"window"})
    if sources != ["window"]:
        raise ModelError(f"What comes before the LSTM reads {', '.join(sources)}; expected the window alone.")
    builder = Builder()
    builder.dequantise("window", WINDOW_SCALE, np.int8, "window.real")
    nodes = [_reading(node, {"window": "window.real"}) for node in nodes]
    samples = graph.input[0].type.tensor_type.shape.dim[-1].dim_value
    inputs = [int8_value("window", ["B", 1, samples])]
    outputs = [int8_value(features, ["B", "T", "C"])]
    return make_model("cnn", [*builder.nodes, *nodes], {**_initializers(graph), **builder.initializers}, inputs, outputs)


def _after(graph: onnx.GraphProto, cell: onnx.NodeProto) -> onnx.ModelProto:
    last = _last_step(graph, cell)
    output = graph.output[0].name
    nodes, sources = subgraph(graph, output, {last})
    if sources != [last]:
        raise ModelError(f"What comes after the LSTM reads {', '.join(sources)}; expected its last output alone.")
    builder = Builder()
    scale = float(constant(graph, "lstm.output.scale"))
    builder.dequantise("hidden", scale, np.int8, "hidden.real")
    nodes = [_reading(node, {last: "hidden.real"}) for node in nodes]
    width = constant(graph, "lstm.bias_input").shape[0]
    inputs, outputs = [int8_value("hidden", ["B", width])], [float_value(output, ["B", 4])]
    return make_model("mlp", [*builder.nodes, *nodes], {**_initializers(graph), **builder.initializers}, inputs, outputs)


def _last_step(graph: onnx.GraphProto, cell: onnx.NodeProto) -> str:
    """The tensor that holds the LSTM's last output, which is all that may be read of it."""
    readers = [node for node in graph.node if set(node.input) & set(cell.output)]
    if len(readers) != 1 or readers[0].op_type != "Gather":
        raise ModelError("Expected the last output of the LSTM to be the only thing read of it.")
    index = constant(graph, readers[0].input[1])
    axis = next((a.i for a in readers[0].attribute if a.name == "axis"), 0)
    if index is None or int(index) != -1 or axis != 1:
        raise ModelError("Expected the last time step of the LSTM to be read.")
    return readers[0].output[0]


def _reading(node: onnx.NodeProto, renamed: dict[str, str]) -> onnx.NodeProto:
    copy = onnx.NodeProto.FromString(node.SerializeToString())
    for index, name in enumerate(copy.input):
        copy.input[index] = renamed.get(name, name)
    return copy
