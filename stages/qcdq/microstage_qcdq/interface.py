"""`interface.json`: what goes into and comes out of each part: datatype, shape, scale, unit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from microstage.integer import Interpreter
from microstage.integer.tensor import QTensor

__all__ = ["describe"]

_UNIT = "2^exponent of the window, in the recording's unit"
_TYPES = {onnx.TensorProto.INT8: "INT8", onnx.TensorProto.UINT8: "UINT8", onnx.TensorProto.FLOAT: "INT32"}


def describe(parts: Mapping[str, onnx.ModelProto], files: Mapping[str, str]) -> dict[str, Any]:
    """{"parts": {name: {"file", "inputs", "outputs"}}}; every tensor is integers with a scale."""
    return {"parts": {file.removesuffix(".onnx"): _part(parts[name], file) for name, file in files.items()}}


def _part(model: onnx.ModelProto, file: str) -> dict[str, Any]:
    graph = model.graph
    constants = {i.name: numpy_helper.to_array(i) for i in graph.initializer}
    scales = {node.input[0]: constants[node.input[1]] for node in graph.node if node.op_type == "DequantizeLinear"}
    scales |= {o.name: constants[f"{o.name}.scale"] for o in graph.output if f"{o.name}.scale" in constants}
    shapes = _shapes(model)
    return {
        "file": file,
        "inputs": {i.name: _tensor(i, shapes[i.name], scales[i.name]) for i in graph.input},
        "outputs": {o.name: _tensor(o, shapes[o.name], scales.get(o.name, _output_scale(model, o.name))) for o in graph.output},
    }


def _tensor(value: onnx.ValueInfoProto, shape: list[int], scale) -> dict[str, Any]:
    flat = np.asarray(scale, np.float64).reshape(-1).tolist()
    return {"datatype": _TYPES[value.type.tensor_type.elem_type], "shape": shape, "zero_point": 0, "unit": _UNIT,
            "scale": flat[0] if len(flat) == 1 else flat}


def _run_once(model: onnx.ModelProto) -> dict[str, Any]:
    zeros = {i.name: np.zeros([d.dim_value or 1 for d in i.type.tensor_type.shape.dim], np.int8) for i in model.graph.input}
    return {**zeros, **Interpreter(model).run(zeros)}


def _shapes(model: onnx.ModelProto) -> dict[str, list[int]]:
    return {name: list(value.shape) for name, value in _run_once(model).items()}


def _output_scale(model: onnx.ModelProto, name: str) -> Any:
    value = _run_once(model)[name]
    return np.broadcast_to(value.scale, value.shape) if isinstance(value, QTensor) else 1.0
