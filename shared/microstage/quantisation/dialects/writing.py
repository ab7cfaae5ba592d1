"""Write a network in a dialect, and beside it what it is given, computes and gives."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx

from microstage.errors import ParameterError
from microstage.quantisation.dialects.diana import DianaWriter
from microstage.quantisation.dialects.finn import FinnWriter
from microstage.quantisation.dialects.onnx_writer import OnnxWriter
from microstage.quantisation.dialects.qcdq import QcdqWriter
from microstage.quantisation.dialects.qonnx import QonnxWriter
from microstage.quantisation.integers.integer_program import IntegerProgram
from microstage.quantisation.integers.operations import Requantise

__all__ = ["write"]

_WRITERS: dict[str, type[OnnxWriter]] = {
    "qonnx": QonnxWriter,
    "qcdq": QcdqWriter,
    "finn": FinnWriter,
    "diana": DianaWriter,
}


def write(network: IntegerProgram, folder: Path, dialect: str, values: Mapping[str, np.ndarray] | None) -> Path:
    """Write model.onnx into `folder` and return its path; with `values`, those of a batch, the .npy files as well."""
    if dialect not in _WRITERS:
        raise ParameterError(f"dialect={dialect!r} is none of {', '.join(_WRITERS)}.")
    writer = _WRITERS[dialect](network)
    models = writer.models()
    folder.mkdir(parents=True, exist_ok=True)
    for name, model in models.items():
        onnx.save(model, str(folder / name))
    if values is not None:
        _dump(network, writer, folder, values)
    return folder / "model.onnx"


def _dump(network: IntegerProgram, writer: OnnxWriter, folder: Path, values: Mapping[str, np.ndarray]) -> None:
    """Write float32 arrays [n, ...]; the intermediate ones hold integers in every dialect."""
    requantised = [one.output for one in network.operations if isinstance(one, Requantise)]
    arrays = {
        "input": values[writer.graph_input],
        "output": writer.given_out(values[network.output]),
        **{f"intermediate_{index}": values[name] for index, name in enumerate(requantised)},
    }
    for stale in folder.glob("intermediate_*.npy"):
        stale.unlink()
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", np.asarray(array, np.float32))
