"""Measure what quantising costs: the answers beside the float file's, and what each tensor adds to that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from microstage_streamline.prove.executors import OriginalModel
from microstage_streamline.quantise.calibration import Arrays, CalibrationRows
from microstage_streamline.quantise.observe import values

__all__ = ["QuantisedTensor", "answers", "quantised_tensors", "sensitivity"]

_RENAMED = "_QuantizeLinear_Input"  # what onnxruntime's quantiser appends to a graph's output


@dataclass(frozen=True)
class QuantisedTensor:
    """Tensor `name` of the float network, which `layer` gives; `real` and `quantised` are what the quantised file calls
    it in front of its quantiser and behind.
    """

    name: str
    layer: str
    real: str
    quantised: str


def quantised_tensors(file: OriginalModel, float_file: OriginalModel) -> list[QuantisedTensor]:
    """Return what is quantised in `file`, in its order."""
    back = {node.input[0]: node.output[0] for node in file.nodes if node.op_type == "DequantizeLinear"}
    found = []
    for node in file.nodes:
        if node.op_type == "QuantizeLinear" and node.input[0] in file.computed:
            name = node.input[0].removesuffix(_RENAMED)
            place = float_file.makers.get(name)
            layer = "the input" if place is None else float_file.where(place)
            found.append(QuantisedTensor(name, layer, node.input[0], back[node.output[0]]))
    return found


def sensitivity(
    file: OriginalModel, float_file: OriginalModel, tensors: Sequence[QuantisedTensor], rows: CalibrationRows
) -> list[dict[str, Any]]:
    """Return {"tensor", "layer", "so_far", "alone"} of each.

    "so_far" is its relative L2 to the float network's tensor when all in front of it is quantised; "alone" that of the
    answers when only this tensor is, and the weights between it and the quantised ones before.
    """
    single = [_OneQuantised(file, float_file, one, tensors) for one in tensors]
    for some in rows.parts():
        wanted = values(float_file, some, [*float_file.outputs, *(one.name for one in tensors)])
        ran = values(file, some, [one.quantised for one in tensors])
        fed = {**some, **{one.quantised: wanted[one.name] for one in tensors}}
        for one in single:
            one.so_far.add(ran[one.tensor.quantised], wanted[one.tensor.name])
            for name, found in one.run(some, fed).items():
                one.alone.add(found, wanted[name])
    return [
        {
            "tensor": one.tensor.name,
            "layer": one.tensor.layer,
            "so_far": one.so_far.relative,
            "alone": one.alone.relative,
        }
        for one in single
    ]


class _RelativeError:
    """A squared error in the making, beside the squares of what is right."""

    def __init__(self) -> None:
        self.error, self.norm = 0.0, 0.0

    def add(self, found: np.ndarray, wanted: np.ndarray) -> None:
        self.error += _squares(found.astype(np.float64) - wanted)
        self.norm += _squares(wanted)

    @property
    def relative(self) -> float:
        return _short(np.sqrt(self.error / self.norm)) if self.norm else float(self.error > 0)


class _OneQuantised:
    """The float network with one tensor of it quantised: `quantiser` makes that of float tensors, `rest` goes on."""

    def __init__(
        self,
        file: OriginalModel,
        float_file: OriginalModel,
        tensor: QuantisedTensor,
        tensors: Sequence[QuantisedTensor],
    ) -> None:
        self.tensor, self.so_far, self.alone = tensor, _RelativeError(), _RelativeError()
        self.quantiser = file.program([tensor.quantised], {one.quantised for one in tensors})
        self.is_answer = tensor.name in float_file.outputs
        self.behind = [name for name in float_file.outputs if name != tensor.name]
        self.rest = float_file.program(self.behind, {tensor.name})

    def run(self, some: Arrays, fed: Arrays) -> dict[str, np.ndarray]:
        """Return the answers to `some` rows, of which `fed` are the float tensors by the names of quantised ones."""
        made = self.quantiser.run({name: fed[name] for name in self.quantiser.sources})[self.tensor.quantised]
        known = {**some, self.tensor.name: made}
        found = self.rest.run({name: known[name] for name in self.rest.sources}) if self.behind else {}
        return {**found, **({self.tensor.name: made} if self.is_answer else {})}


def answers(file: OriginalModel, original: OriginalModel, rows: CalibrationRows) -> dict[str, dict[str, Any]]:
    """Return {output: "relative_l2", and "agreement" where it is scores of classes, or whole numbers} of the quantised
    file beside the user's.
    """
    found, wanted = (_outputs(one, rows) for one in (file, original))
    return {name: _beside(found[name], wanted[name]) for name in original.outputs}


def _outputs(file: OriginalModel, rows: CalibrationRows) -> dict[str, np.ndarray]:
    ran = [values(file, some, file.outputs) for some in rows.parts()]
    return {name: np.concatenate([part[name] for part in ran]) for name in file.outputs}


def _beside(found: np.ndarray, wanted: np.ndarray) -> dict[str, Any]:
    if wanted.dtype.kind != "f":
        return {"agreement": _short(np.mean(found == wanted))}
    error = _RelativeError()
    error.add(found, wanted)
    said = {"relative_l2": error.relative}
    if wanted.ndim == 2 and wanted.shape[1] > 1:
        said["agreement"] = _short(np.mean(found.argmax(1) == wanted.argmax(1)))
    return said


def _squares(values: np.ndarray) -> float:
    return float(np.square(values.astype(np.float64)).sum())


def _short(value: float) -> float:
    return float(f"{value:.3g}")
