"""Read a .tflite file as a `Graph`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from microstage.errors import ModelError
from microstage_streamline.graph.graph import Graph, GraphInput
from microstage_streamline.tflite.builder import LAST, RAW, REAL, TfliteBuilder
from microstage_streamline.tflite.file import TfliteFile, TfliteOperator
from microstage_streamline.tflite.operators import OPERATORS

__all__ = ["QUANTIZE", "TfliteGraph", "as_onnx", "graph_of_tflite"]

_OPSET, _IR = 21, 10
_BORDERS = ("QUANTIZE", "DEQUANTIZE")
QUANTIZE = {
    "rounding": "HALF_UP",
    "precision": "float32",
}  # of real numbers, as the kernel has it: halves away from zero


@dataclass(frozen=True)
class TfliteGraph:
    """`graph`; `forms` {place of a tensor of the file: {(raw or values, layout): its name in the graph}}."""

    graph: Graph
    forms: dict[int, dict[tuple[str, str], str]] = field(repr=False)


def graph_of_tflite(file: TfliteFile, exact: bool) -> TfliteGraph:
    """Return the graph of a file; `ModelError` names the first operator that has no form in it.

    Quantisers at a real input and behind a real output are the border: what they are given and give are named by the
    file's end.
    """
    builder = TfliteBuilder(file, exact)
    inside = _entered(builder)
    for operator in file.operators:
        if operator in inside:
            _added(builder, operator)
    outputs = [_left(builder, place) for place in file.outputs]
    raw = {forms[RAW, LAST]: file.tensors[place] for place, forms in builder.forms.items() if (RAW, LAST) in forms}
    raw = {name: raw[name] for name in [*builder.inputs, *outputs] if name in raw and len(raw[name].scales)}
    described: dict[str, dict[str, Any]] = {
        name: {"scale": float(tensor.scale), "zero_point": tensor.zero} for name, tensor in raw.items()
    }
    for name in _real_inputs(builder) if exact else []:
        described[name] |= QUANTIZE
    return TfliteGraph(
        Graph(builder.nodes, builder.constants, builder.inputs, outputs, _OPSET, described), builder.forms
    )


def _added(builder: TfliteBuilder, operator: TfliteOperator) -> None:
    where = builder.file.where(operator)
    builder.layer = where
    if operator.kind not in OPERATORS:
        raise ModelError(f"{where}: {operator.kind} is an operator that is not known here.")
    _assert_integers(builder.file, operator)
    try:
        OPERATORS[operator.kind](builder, operator)
    except ModelError as error:
        raise ModelError(f"{where}: {str(error).rstrip('.')}.") from None
    except (
        ArithmeticError,
        AttributeError,
        LookupError,
        TypeError,
        ValueError,
    ):  # attributes and shapes of a wrong file
        raise ModelError(f"{where} has inputs or options that do not fit together.") from None


def _assert_integers(file: TfliteFile, operator: TfliteOperator) -> None:
    """Raise `ModelError` for an operator that reads or gives real numbers."""
    types = {place: file.tensors[place].type for place in (*operator.inputs, *operator.outputs) if place >= 0}
    if any(kind.startswith("FLOAT") for kind in types.values()):
        hybrid = any(types[place] == "INT8" for place in operator.inputs if place >= 0)
        how = "real numbers with integer weights (dynamic range quantisation)" if hybrid else "real numbers"
        raise ModelError(f"{file.where(operator)} computes in {how}; convert the file with full integer quantisation.")


def _entered(builder: TfliteBuilder) -> list[TfliteOperator]:
    """Take in the file's inputs, and return the operators that are left."""
    file = builder.file
    border: list[TfliteOperator] = []
    for place in file.inputs:
        tensor = file.tensors[place]
        if tensor.type == "FLOAT32":
            border.append(_reader(file, place))
            _quantised(builder, border[-1], tensor.name)
        elif tensor.stored_as not in (np.int8, np.uint8, np.int16):
            raise ModelError(
                f"Input {tensor.name} is {tensor.type}; expected INT8, UINT8, INT16, or FLOAT32 that a QUANTIZE reads."
            )
        else:
            builder.inputs[builder.new(place, RAW)] = _entry(tensor.shape, tensor.ends, tensor.name)
    border += _dequantisers(builder)
    return [operator for operator in file.operators if operator not in border]


def _reader(file: TfliteFile, place: int) -> TfliteOperator:
    """Return the one QUANTIZE that reads a real input."""
    readers = [operator for operator in file.operators if place in operator.inputs]
    for operator in readers:
        if operator.kind != "QUANTIZE":
            _assert_integers(file, operator)
    if len(readers) != 1:
        raise ModelError(
            f"Input {file.tensors[place].name} is real numbers that {len(readers)} operators read; expected one"
            " QUANTIZE."
        )
    return readers[0]


def _dequantisers(builder: TfliteBuilder) -> list[TfliteOperator]:
    """Return what gives the real outputs of a file; their integers are called after them in `builder`."""
    file, found = builder.file, []
    for operator in file.operators:
        source = operator.inputs[0] if operator.inputs else None
        computed = source in file.makers or source in builder.forms
        if source is not None and operator.kind == "DEQUANTIZE" and operator.outputs[0] in file.outputs and computed:
            if source not in {*file.outputs, *builder.called, *builder.forms} and builder.exact:
                builder.called[source] = file.tensors[operator.outputs[0]].name
            found.append(operator)
    return found


def _real_inputs(builder: TfliteBuilder) -> list[str]:
    """Return inputs of integers that stand for a real one of the file."""
    ends = (builder.file.tensors[place] for place in builder.file.inputs)
    return [tensor.name for tensor in ends if tensor.type == "FLOAT32"]


def _quantised(builder: TfliteBuilder, operator: TfliteOperator, name: str) -> None:
    """Let a real input enter: as its quantiser's integers, or (rounding half to even) with the quantiser as it is."""
    place = operator.outputs[0]
    tensor = builder.activation(place)
    if builder.exact:
        builder.called[place] = name
        builder.inputs[builder.new(place, RAW)] = _entry(tensor.shape, tensor.ends, name)
        return
    builder.inputs[name] = _entry(tensor.shape, None, name)
    builder.node("QuantizeLinear", [name, *builder.quantiser(place)], builder.new(place, RAW))


def _entry(shape: tuple[int, ...], ends: tuple[int, int] | None, name: str) -> GraphInput:
    if len(shape) < 2 or shape[0] != 1:
        raise ModelError(f"Input {name} has shape {list(shape)}; expected a batch of 1 and sizes behind it.")
    return GraphInput(shape, ends, ends is not None)


def _left(builder: TfliteBuilder, place: int) -> str:
    """Return what the graph calls an output of the file."""
    maker = builder.file.makers.get(place)
    if maker is not None and maker.kind == "DEQUANTIZE" and builder.file.tensors[place].type == "FLOAT32":
        source = maker.inputs[0]
        return builder.get(source, RAW if builder.exact else REAL, LAST)
    return builder.get(place, RAW, LAST)


def as_onnx(graph: Graph) -> onnx.ModelProto:
    """Return a graph that rounds half to even, as the model that other programs run."""
    types = {
        (-128, 127): TensorProto.INT8,
        (0, 255): TensorProto.UINT8,
        (-(2**15), 2**15 - 1): TensorProto.INT16,
        None: TensorProto.FLOAT,
    }
    inputs = [
        helper.make_tensor_value_info(name, types[entry.datatype], entry.shape) for name, entry in graph.inputs.items()
    ]
    outputs = [onnx.ValueInfoProto(name=name) for name in graph.outputs]
    stored = [numpy_helper.from_array(np.asarray(value), name) for name, value in graph.constants.items()]
    nodes, named = [], set()
    for node in graph.nodes:
        nodes.append(node.proto())
        nodes[-1].name = node.layer if node.layer not in named else ""
        named.add(node.layer)
    made = helper.make_graph(nodes, "network", inputs, outputs, stored)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR)
