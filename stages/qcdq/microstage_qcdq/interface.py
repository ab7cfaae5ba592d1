"""`interface.json`: what goes into and comes out of each part: datatype, range, shape, scale, unit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from microstage.integer import Interpreter
from microstage.integer.tensor import QTensor
from microstage.interface.answer import PhasorMean
from microstage.interface.cepstra import Cepstra
from microstage.interface.gain import Gain
from microstage.interface.recurrence import Recurrence
from microstage.models.definition import ModelDeclaration

__all__ = ["describe", "signed_type"]

_ACCUMULATOR = (-(2**31), 2**31 - 1)


def describe(
    parts: Mapping[str, onnx.ModelProto],
    sequence: Recurrence | None,
    ranges: Mapping[str, tuple[int, int]],
    roundings: Mapping[str, str],
    declared: ModelDeclaration,
) -> dict[str, Any]:
    """Return {"parts": {name: {"file", "inputs", "outputs"}}, "sequence", "gain", "answer", "features"}.

    Every tensor is integers with a scale, in a unit (by default 1). `roundings` are of inputs that are made otherwise
    than by rounding halves to even.
    """
    described: dict[str, Any] = {
        "parts": {name: _part(part, f"{name}.onnx", ranges, declared.units) for name, part in parts.items()}
    }
    for part in described["parts"].values():
        for name in part["inputs"].keys() & roundings.keys():
            part["inputs"][name]["rounding"] = roundings[name]
    roles = {"sequence": sequence, "gain": declared.gain, "answer": declared.answer, "features": declared.sound}
    described |= {role: given.described() for role, given in roles.items() if given is not None}
    for kind in (Recurrence, Gain, PhasorMean, Cepstra):  # what is written can be read
        kind.read(described)
    return described


def _part(
    model: onnx.ModelProto, file: str, ranges: Mapping[str, tuple[int, int]], units: Mapping[str, str]
) -> dict[str, Any]:
    graph, once = model.graph, _run_once(model)
    constants = {i.name: numpy_helper.to_array(i) for i in graph.initializer}
    read = [node for node in graph.node if node.op_type == "DequantizeLinear"]
    scales = {node.input[0]: constants[node.input[1]] for node in read}
    zeros = {node.input[0]: constants[node.input[2]] for node in read if len(node.input) > 2}
    scales |= {o.name: constants[f"{o.name}.scale"] for o in graph.output if f"{o.name}.scale" in constants}

    def tensors(values) -> dict[str, Any]:
        return {
            v.name: {
                **_tensor(once[v.name], scales.get(v.name), ranges.get(v.name, _ACCUMULATOR), units.get(v.name, "1")),
                "zero_point": int(zeros.get(v.name, 0)),
            }
            for v in values
        }

    return {"file": file, "inputs": tensors(graph.input), "outputs": tensors(graph.output)}


def _tensor(value: Any, scale: np.ndarray | None, ends: tuple[int, int], unit: str) -> dict[str, Any]:
    if scale is None:
        scale = np.broadcast_to(value.scale, value.shape) if isinstance(value, QTensor) else 1.0
    flat = np.asarray(scale, np.float64).reshape(-1).tolist()
    return {
        "datatype": signed_type(*ends),
        "range": list(ends),
        "shape": list(value.shape),
        "scale": flat[0] if len(set(flat)) == 1 else flat,
        "unit": unit,
    }


def signed_type(low: int, high: int) -> str:
    """Return the narrowest signed type that holds low..high, as FINN calls it."""
    return f"INT{max((-low - 1).bit_length(), high.bit_length()) + 1}"


def _run_once(model: onnx.ModelProto) -> dict[str, Any]:
    zeros = {
        i.name: np.zeros([d.dim_value or 1 for d in i.type.tensor_type.shape.dim], np.int8) for i in model.graph.input
    }
    return {**zeros, **Interpreter(model).run(zeros)}
