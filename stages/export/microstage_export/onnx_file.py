"""Writing the ONNX file: export with paths, then name every tensor by them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

from microstage.errors import ModelError
from microstage.interface.lstm_node import INPUTS, OPERATOR, QUANTISER_INPUTS
from microstage.models.exporting import Exporting, numbered
from microstage_export.lstm_handler import PATH, PathManager, tell_paths

__all__ = ["export"]

_OPSET = 13
_IR_VERSION = 8  # the newest that onnxruntime 1.14 reads
_QUANTISERS = ("Quant", "BipolarQuant")
_CELL_OUTPUTS = ("sequence", "hidden", "cell")


def export(trained: Exporting, name: str, path: Path) -> None:
    """Write QONNX of the graph called `name`, for one example at a time; equal networks give equal bytes."""
    model = trained.qonnx() or _exported(trained)
    _tidy(model, name)
    onnx.save(model, str(path))


def _exported(trained: Exporting) -> onnx.ModelProto:
    trained.network.eval()
    tell_paths(trained.network)
    model = PathManager.export(
        trained.network,
        args=trained.example,
        opset_version=_OPSET,
        keep_initializers_as_inputs=False,
        input_names=list(trained.inputs),
        output_names=list(trained.outputs),
        do_constant_folding=True,
    )
    name_tensors(model, trained.declared.names)
    return model


def name_tensors(model: onnx.ModelProto, names: Mapping[str, str]) -> None:
    """Name what each quantiser and LSTM layer reads and writes by module path; generated names are only ever replaced.

    A quantised activation becomes its boundary (`cnn.act1`), or what `names` calls it instead, a quantised weight
    `<path>.quantised`, its parameters `<path>.scale` and so on. What feeds an LSTM layer is named by its role there:
    `<layer>.weight_ii`, `<layer>.cell_0`.
    """
    graph = model.graph
    _read_constants(graph)
    nodes = [(node, _take_path(node)) for node in graph.node]
    roles = {
        name: names.get(f"{path}.{role}", f"{path}.{role}")
        for node, path in nodes
        if node.op_type == OPERATOR
        for name, role in zip(node.input, INPUTS)
    }
    for node, path in nodes:
        if node.op_type in _QUANTISERS:
            boundary = roles.get(node.output[0]) or names.get(path, path)
            constant = any(i.name == node.input[0] for i in graph.initializer)
            if constant:
                _own_initializer(graph, node, 0, boundary)
            given = QUANTISER_INPUTS[: len(node.input) - 1]  # a bipolar one has the first alone
            for index, role in enumerate(given, 1):
                _own_initializer(graph, node, index, f"{boundary}.{role}")
            taken = {name for other in graph.node for name in other.output}
            _rename(graph, node.output[0], numbered(f"{boundary}.quantised" if constant else boundary, taken))
        elif node.op_type == OPERATOR:
            if len(node.input) != len(INPUTS):
                raise ModelError(f"The LSTM was exported with {len(node.input)} inputs, expected {len(INPUTS)}.")
            for index, role in enumerate(INPUTS):
                if any(i.name == node.input[index] for i in graph.initializer):
                    _own_initializer(graph, node, index, f"{path}.{role}")
            for old, new in zip(list(node.output), _CELL_OUTPUTS):
                _rename(graph, old, f"{path}.{new}")


def _read_constants(graph: onnx.GraphProto) -> None:
    """Drop each Identity of a constant, so that readers read the constant.

    The exporter writes one where parameters are equal.
    """
    constants = {i.name for i in graph.initializer}
    copies = [node for node in graph.node if node.op_type == "Identity" and node.input[0] in constants]
    for copy in copies:
        graph.node.remove(copy)
        for node in graph.node:
            for index, name in enumerate(node.input):
                if name == copy.output[0]:
                    node.input[index] = copy.input[0]


def _take_path(node: onnx.NodeProto) -> str:
    for attribute in list(node.attribute):
        if attribute.name == PATH:
            node.attribute.remove(attribute)
            return attribute.s.decode()
    return ""


def _own_initializer(graph: onnx.GraphProto, node: onnx.NodeProto, index: int, name: str) -> None:
    """Give the constant input `index` of `node` an initialiser of its own called `name`.

    Equal constants may be shared.
    """
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
