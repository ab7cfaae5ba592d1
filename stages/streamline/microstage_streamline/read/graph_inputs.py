"""Read what a file declares of its inputs: batch 1, fixed sizes, real numbers or integers within their range."""

from __future__ import annotations

import math
from collections.abc import Container, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper
from qonnx.core.datatype import DataType

from microstage.errors import ModelError
from microstage.untrusted.exceptions import translated
from microstage.untrusted.limits import MOST_AXES, MOST_BITS, MOST_COMPUTED, MOST_LOOKED_AT
from microstage_streamline.finn.annotate_datatypes import RANGE
from microstage_streamline.graph.graph import GraphInput

__all__ = ["graph_inputs"]

_INTEGERS = {
    TensorProto.INT8: (-128, 127),
    TensorProto.UINT8: (0, 255),
    TensorProto.INT16: (-(2**15), 2**15 - 1),
    TensorProto.UINT16: (0, 2**16 - 1),
    TensorProto.INT32: (-(2**31), 2**31 - 1),
    TensorProto.UINT32: (0, 2**32 - 1),
}
_REALS = (TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16)


def graph_inputs(graph: onnx.GraphProto, constants: Container[str]) -> dict[str, GraphInput]:
    """Return the inputs of a graph by name; those that are stored as well are constants."""
    declared = {annotation.tensor_name: _declared(annotation) for annotation in graph.quantization_annotation}
    values = [value for value in graph.input if value.name not in constants]
    return {value.name: _entry(value, declared.get(value.name)) for value in values}


def _declared(annotation: onnx.TensorAnnotation) -> tuple[int, int] | None:
    """Return (lowest, highest) of FINN's datatype annotation, or of our own that is narrower; None for a real type."""
    said = {pair.key: pair.value for pair in annotation.quant_parameter_tensor_names}
    text = said.get("finn_datatype", "FLOAT32")
    with translated(
        lambda _: ModelError(f"{annotation.tensor_name} is annotated {text}, which is no datatype of FINN.")
    ):
        kind = DataType[text]
        low, high = map(int, said[RANGE].split()) if RANGE in said else (kind.min(), kind.max())
    if not kind.is_integer():
        return None
    if not kind.min() <= low <= high <= kind.max():
        raise ModelError(f"{annotation.tensor_name} is annotated {text} and {low} to {high}, which do not agree.")
    return int(low), int(high)


def _entry(value: onnx.ValueInfoProto, declared: tuple[int, int] | None) -> GraphInput:
    kind, dims = value.type.tensor_type.elem_type, value.type.tensor_type.shape.dim
    if kind not in _REALS and kind not in _INTEGERS:
        found = (
            TensorProto.DataType.Name(kind).lower() if kind in TensorProto.DataType.values() else f"ONNX type {kind}"
        )
        expected = "float, double, float16, or integers of 8, 16 or 32 bits"
        raise ModelError(
            f"Input {value.name} is of type {found}; expected {expected}: declare it so and cast behind it."
        )
    shape = (1, *(dim.dim_value for dim in dims[1:]))
    _assert_shape(value.name, shape, dims)
    if declared and declared[1] - declared[0] >= 2**MOST_BITS:
        raise ModelError(
            f"Input {value.name} is annotated {declared[0]} to {declared[1]}; expected at most {MOST_BITS} bits."
        )
    real = np.float32 if kind in _INTEGERS else helper.tensor_dtype_to_np_dtype(kind).type
    return GraphInput(shape, _held(value.name, kind, declared), kind in _INTEGERS, real)


def _held(name: str, kind: int, declared: tuple[int, int] | None) -> tuple[int, int] | None:
    """Return the (least, greatest) integer of an input: as annotated, else of its type; None for real numbers."""
    low, high = whole = _INTEGERS.get(kind, declared or (0, 0))
    if declared and not low <= declared[0] <= declared[1] <= high:
        raise ModelError(f"Input {name} is annotated {declared[0]} to {declared[1]}; its type holds {low} to {high}.")
    return declared or (whole if kind in _INTEGERS else None)


def _assert_shape(name: str, shape: tuple[int, ...], dims: Sequence[Any]) -> None:
    """Raise `ModelError` for an input that has no sizes, or larger ones than can be held."""
    if len(dims) > MOST_AXES:
        raise ModelError(f"Input {name} has {len(dims)} axes; at most {MOST_AXES} can be read.")
    known = [dim.dim_value or dim.dim_param or "?" for dim in dims]
    if len(dims) < 2:
        expected = "a batch and sizes behind it: export it with an axis of samples in front"
        raise ModelError(f"Input {name} has shape {known}; expected {expected}.")
    if min(shape) < 1:
        raise ModelError(
            f"Input {name} has shape {known}; expected a batch and fixed sizes behind it:"
            f" `python -m onnxruntime.tools.make_dynamic_shape_fixed --input_name {name} --input_shape 1,...`"
            " writes them into the file."
        )
    if math.prod(shape) > MOST_COMPUTED or math.prod(shape) * dims[0].dim_value > MOST_LOOKED_AT:
        said = f"at most {MOST_COMPUTED} values of a sample can be held, and {MOST_LOOKED_AT} of a batch"
        raise ModelError(f"Input {name} has shape {known}; {said}.")
