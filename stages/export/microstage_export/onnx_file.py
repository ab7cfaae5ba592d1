"""Writing the ONNX file: export with paths, then name every tensor by them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

from microstage.errors import ModelError
from microstage.models.exporting import Exporting, numbered
from microstage_export.lstm_handler import PATH, PathManager, tell_paths

__all__ = ["export"]

_OPSET = 13
_IR_VERSION = 8  # the newest that onnxruntime 1.14 reads
_QUANTISERS = ("Quant", "BipolarQuant")
_QUANTISER_INPUTS = ("scale", "zero_point", "bit_width")  # a bipolar one has the first alone
_CELL_QUANTISERS = (
    "output", "cell_state", "input_acc", "forget_acc", "cell_acc", "output_acc", "input_sigmoid", "forget_sigmoid",
    "cell_tanh", "output_sigmoid", "hidden_state_tanh",
)
_CELL_INPUTS = (
    *("input", "hidden_0", "cell_0", "weight_ii", "weight_if", "weight_ic", "weight_io"),
    *("weight_hi", "weight_hf", "weight_hc", "weight_ho", "bias_input", "bias_forget", "bias_cell", "bias_output"),
    *(f"{quantiser}.{role}" for quantiser in _CELL_QUANTISERS for role in _QUANTISER_INPUTS),
)
_CELL_OUTPUTS = ("lstm.sequence", "lstm.hidden", "lstm.cell")


def export(trained: Exporting, name: str, path: Path) -> None:
    """QONNX of the graph called `name`, for one example at a time; equal networks give equal bytes."""
    trained.network.eval()
    tell_paths(trained.network)
    model = PathManager.export(
        trained.network, args=trained.example, opset_version=_OPSET, keep_initializers_as_inputs=False,
        input_names=[trained.input], output_names=[trained.output], do_constant_folding=True,
    )
    name_tensors(model)
    _tidy(model, name)
    onnx.save(model, str(path))


def name_tensors(model: onnx.ModelProto) -> None:
    """Name what each quantiser and the LSTM read and write by module path; generated names are only ever replaced.

    A quantised activation becomes its boundary (`cnn.act1`, `features`), a quantised weight `<path>.quantised`, its
    parameters `<path>.scale` and so on. What feeds the LSTM is named by its role there: `lstm.weight_ii`, `lstm.cell_0`.
    """
    graph = model.graph
    roles = {name: _boundary(role) for node in graph.node if node.op_type == "QuantLSTMCell"
             for name, role in zip(node.input, _CELL_INPUTS)}
    for node in list(graph.node):
        path = _take_path(node)
        if node.op_type in _QUANTISERS:
            boundary = roles.get(node.output[0], path)
            constant = any(i.name == node.input[0] for i in graph.initializer)
            if constant:
                _own_initializer(graph, node, 0, boundary)
            for index, role in enumerate(_QUANTISER_INPUTS[: len(node.input) - 1], 1):
                _own_initializer(graph, node, index, f"{boundary}.{role}")
            taken = {name for other in graph.node for name in other.output}
            _rename(graph, node.output[0], numbered(f"{boundary}.quantised" if constant else boundary, taken))
        elif node.op_type == "QuantLSTMCell":
            if len(node.input) != len(_CELL_INPUTS):
                raise ModelError(f"The LSTM was exported with {len(node.input)} inputs, expected {len(_CELL_INPUTS)}.")
            for index, role in enumerate(_CELL_INPUTS):
                if any(i.name == node.input[index] for i in graph.initializer):
                    _own_initializer(graph, node, index, f"lstm.{role}")
            for old, new in zip(list(node.output), _CELL_OUTPUTS):
                _rename(graph, old, new)


def _take_path(node: onnx.NodeProto) -> str:
    for attribute in list(node.attribute):
        if attribute.name == PATH:
            node.attribute.remove(attribute)
            return attribute.s.decode()
    return ""


def _boundary(role: str) -> str:
    return "features" if role == "input" else f"lstm.{role}"


def _own_initializer(graph: onnx.GraphProto, node: onnx.NodeProto, index: int, name: str) -> None:
    """Give the constant input `index` of `node` an initialiser of its own called `name`; equal constants may be shared."""
    value = next((i for i in graph.initializer if i.name == node.input[index]), None)
    if value is None:
        raise ModelError(f"{name} is computed in the graph; expected a constant.")
    if not any(i.name == name for i in graph.initializer):
        graph.initializer.append(numpy_helper.from_array(numpy_helper.to_array(value).copy(), name))
    node.input[index] = name


def _rename(graph: onnx.GraphProto, old: str, new: str) -> None:
    for node in graph.node:
        for names in (node.input, node.output):
            for index, name in enumerate(names):
                if name == old:
                    names[index] = new
    for value in graph.value_info:
        if value.name == old:
            value.name = new


def _tidy(model: onnx.ModelProto, name: str) -> None:
    """Drop unused initialisers, source lines and stale shapes; pin the IR; sort what has no order."""
    graph = model.graph
    used = {name for node in graph.node for name in node.input}
    kept = sorted((i for i in graph.initializer if i.name in used), key=lambda i: i.name)
    del graph.initializer[:]
    graph.initializer.extend(kept)
    del graph.value_info[:]
    for index, node in enumerate(graph.node):
        node.doc_string = ""
        node.name = f"{node.op_type}_{index}"
    graph.name = name
    model.doc_string = ""
    model.ir_version = _IR_VERSION
    if not np.isfinite([float(numpy_helper.to_array(i).sum()) for i in graph.initializer]).all():
        raise ModelError("A weight or scale of the trained network is not finite.")
