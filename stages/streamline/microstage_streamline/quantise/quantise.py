"""Quantise a user's float network: read, calibrate, choose ranges, quantise, correct biases, measure the cost."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime

from microstage.errors import ParameterError, VerificationError
from microstage.untrusted.onnx_file import read_onnx
from microstage_streamline.prove.executors import OriginalModel
from microstage_streamline.quantise.bias import correct_biases
from microstage_streamline.quantise.calibration import CalibrationRows, read_calibration
from microstage_streamline.quantise.cost import answers, quantised_tensors, sensitivity
from microstage_streamline.quantise.float_graph import float_form, name_nodes, narrowed
from microstage_streamline.quantise.observe import affordable, float_tensors, observed, values
from microstage_streamline.quantise.placement import placed
from microstage_streamline.quantise.quantiser import quantised
from microstage_streamline.quantise.ranges import least_error
from microstage_streamline.read.known_operators import QUANTISING
from microstage_streamline.read.onnx_graph import opset_of, read_graph

__all__ = ["QuantisedFile", "quantise"]

_AT_ONCE = 1 << 24  # values of all tensors
_LOOKED_AT = 128  # rows, tensor by tensor
_SAME, _SAME_OF_NARROW = 1e-5, 1e-2
"How far the prepared network may be from the file, of the largest value; of float16 and float64, which become float32."
_INTEGER = ("DequantizeLinear", "ConvInteger", "MatMulInteger", "DynamicQuantizeLinear", "QGemm")


@dataclass(frozen=True)
class QuantisedFile:
    """The quantised file, and what it costs: "rows", "held_out" (numbers), "answers", "answers_held_out", "tensors"."""

    model: onnx.ModelProto
    cost: Mapping[str, Any]


def quantise(path: Path, calibration: Path, called: str, scratch: Path) -> QuantisedFile:
    """Return the network in `path` quantised over the rows in `calibration`, which the user calls `called`.

    The same files give the same bytes. `ParameterError` for a file that is quantised already.
    """
    graph, model = read_graph(path), read_onnx(path)
    _assert_float(model)
    name_nodes(model.graph)
    original = OriginalModel(model)
    prepared = float_form(model, opset_of(model), scratch)
    float_file = OriginalModel(prepared)
    rows, shapes = _affordable(read_calibration(calibration, called, graph.inputs), float_file)
    fitted, held = rows.split()
    ranges = {name: least_error(seen) for name, seen in observed(float_file, fitted, list(shapes)).items()}
    _assert_same(original, float_file, fitted, _SAME_OF_NARROW if narrowed(model) else _SAME)
    made = quantised(prepared, placed(prepared.graph), ranges)
    by_rows = {name for name, shape in shapes.items() if shape[:1] == (float_file.batch or 1,)}
    correct_biases(made, float_file, fitted, by_rows)
    files = OriginalModel(made), float_file, original
    return QuantisedFile(made, _cost(*files, fitted, held, by_rows))


def _affordable(rows: CalibrationRows, file: OriginalModel) -> tuple[CalibrationRows, dict[str, tuple[int, ...]]]:
    """Return as many rows as can be looked at, and the shapes of the float tensors of one."""
    shapes = float_tensors(file, rows.of(np.arange(1)).arrays)
    at_once = max(1, _AT_ONCE // sum(int(np.prod(shape)) for shape in shapes.values()))
    return replace(rows.spread(affordable(file, shapes)), at_once=at_once), shapes


def _assert_float(model: onnx.ModelProto) -> None:
    for place, node in enumerate(model.graph.node):
        if node.op_type in (*QUANTISING, *_INTEGER) or node.op_type.startswith("QLinear"):
            by = f", by {model.producer_name}" if model.producer_name else ""
            raise ParameterError(
                f"CALIBRATION= is for a float network, and this one is quantised already{by}: {node.name or place} is"
                f" {node.op_type}; leave it out."
            )


def _assert_same(original: OriginalModel, prepared: OriginalModel, rows: CalibrationRows, most: float) -> None:
    """Raise `VerificationError` unless the prepared network answers what the file does."""
    some = next(rows.parts())
    wanted, found = values(original, some, original.outputs), values(prepared, some, original.outputs)
    for name, value in wanted.items():
        if value.dtype.kind == "f":
            gap = np.abs(found[name] - value.astype(np.float64)).max() / max(np.abs(value).max(), 1e-30)
            if not gap <= most:
                raise VerificationError(
                    f"Simplified by onnxruntime {onnxruntime.__version__}, the float network answers {name} with an"
                    f" error of {gap:.2g} of its largest value; at most {most:g} is rounding."
                )


def _cost(
    file: OriginalModel,
    float_file: OriginalModel,
    original: OriginalModel,
    fitted: CalibrationRows,
    held: CalibrationRows,
    by_rows: Set[str],
) -> dict[str, Any]:
    tensors = [one for one in quantised_tensors(file, float_file) if one.name in by_rows]
    held_out = {"answers_held_out": answers(file, original, held)} if held.count else {}
    return {
        "by": f"onnxruntime {onnxruntime.__version__}",
        "rows": fitted.count,
        "held_out": held.count,
        "answers": answers(file, original, fitted),
        **held_out,
        "tensors": sensitivity(file, float_file, tensors, fitted.spread(_LOOKED_AT)),
    }
