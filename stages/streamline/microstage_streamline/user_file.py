"""Open a user's file by what is in it: an ONNX graph, or a .tflite file under one of two ways of rounding."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from microstage.errors import ParameterError
from microstage.integer.quantisers import rounded
from microstage.stage import Job
from microstage.untrusted.onnx_file import is_tflite, read_onnx
from microstage_streamline.convert import Converted
from microstage_streamline.graph.graph import Graph
from microstage_streamline.prove.gate import compare_with_file, compare_with_golden
from microstage_streamline.prove.samples import of_vectors
from microstage_streamline.quantise.quantise import QuantisedFile, quantise
from microstage_streamline.read.onnx_graph import graph_of, read_graph
from microstage_streamline.tflite.file import TfliteFile, read_tflite
from microstage_streamline.tflite.gate import compare_with_kernels
from microstage_streamline.tflite.read import QUANTIZE, TfliteGraph, as_onnx, graph_of_tflite
from microstage_streamline.tflite.shape_arithmetic import fold_shapes

__all__ = ["Arrays", "UserFile", "opened"]

Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class UserFile:
    """An ONNX file, or another one as the ONNX model that says the same.

    `rounding` is what `interface.json` says of it.
    """

    path: Path
    rounding = ""

    @property
    def quantised(self) -> QuantisedFile | None:
        """What the stage itself made of a float file, if it is one."""
        return None

    def graph(self) -> Graph:
        """Return what is made integer; `ModelError` for a file that cannot be."""
        return read_graph(self.path)

    def model(self) -> onnx.ModelProto:
        """Return what other programs run."""
        return read_onnx(self.path)

    def compared(
        self, job: Job, part: Converted, fed: Mapping[str, Any], recorded: Arrays, arrays: Arrays | None
    ) -> dict[str, Any]:
        """Return the file beside the integers that were made of it."""
        return compare_with_file(job, self.model(), part, fed, recorded, arrays)

    def golden(self, arrays: Arrays) -> Arrays:
        """Return the user's own vectors as the graph takes and gives them."""
        return arrays


@dataclass(frozen=True)
class _FloatFile(UserFile):
    """A float ONNX file as what onnxruntime's quantiser makes of it, over example inputs that the user `called` so."""

    calibration: Path
    called: str
    scratch: Path

    @cached_property
    def quantised(self) -> QuantisedFile:
        return quantise(self.path, self.calibration, self.called, self.scratch)

    def graph(self) -> Graph:
        return graph_of(self.model())

    def model(self) -> onnx.ModelProto:
        return self.quantised.model

    def golden(self, arrays: Arrays) -> Arrays:
        """Return the user's own vectors; answers become real numbers, as the float network's are never those of
        integers.
        """
        inputs = self.graph().inputs
        return {name: value if name in inputs else value.astype(np.float64) for name, value in arrays.items()}


class _HalfEvenTflite(UserFile):
    """A .tflite file as real numbers between quantisers that round half to even."""

    @cached_property
    def read(self) -> Graph:
        return graph_of_tflite(fold_shapes(read_tflite(self.path)), exact=False).graph

    def graph(self) -> Graph:
        return replace(graph_of(self.model()), described=self.read.described)

    def model(self) -> onnx.ModelProto:
        return as_onnx(self.read)


class _ExactTflite(UserFile):
    """A .tflite file as the integers of TensorFlow Lite Micro's reference kernels."""

    rounding = "tflite"

    @cached_property
    def file(self) -> TfliteFile:
        return fold_shapes(read_tflite(self.path))

    @cached_property
    def read(self) -> TfliteGraph:
        return graph_of_tflite(self.file, exact=True)

    def graph(self) -> Graph:
        return self.read.graph

    def compared(
        self, job: Job, part: Converted, fed: Mapping[str, Any], recorded: Arrays, arrays: Arrays | None
    ) -> dict[str, Any]:
        samples = of_vectors(part.normal, part.written, fed, recorded)
        found = {"layers": compare_with_kernels(job, self.file, self.read, part, samples)}
        return found | compare_with_golden(job, part, samples, arrays)

    def golden(self, arrays: Arrays) -> Arrays:
        """Return real inputs as QUANTIZE rounds them.

        Expected answers become real numbers to compare with, as those of other runtimes differ.
        """
        found = dict(arrays)
        for tensor in (self.file.tensors[place] for place in (*self.file.inputs, *self.file.outputs)):
            value = found.get(tensor.name)
            if value is not None and tensor.type == "FLOAT32":
                entry = self.read.graph.inputs.get(tensor.name)
                ends = entry.datatype if entry is not None else None
                found[tensor.name] = quantised(value, self.read.graph.described[tensor.name], ends)
            if value is not None and tensor.name not in self.read.graph.inputs:
                found[tensor.name] = np.asarray(found[tensor.name], np.float64)
        return found


def quantised(value: np.ndarray, said: Mapping[str, Any], ends: tuple[int, int] | None) -> np.ndarray:
    """Round halves away from zero, as TensorFlow Lite Micro's QUANTIZE does, within the `ends` of an input."""
    whole = rounded(np.asarray(value, np.float32) / np.float32(said["scale"]), QUANTIZE["rounding"])
    levels = whole + said["zero_point"]
    return levels if ends is None else np.clip(levels, *ends).astype(np.int64)


def opened(path: Path, rounding: str, calibration: Path, called: str, scratch: Path) -> UserFile:
    """Open a file by its content; `rounding` is "tflite", "half_even" or, as the file's own runtime rounds, "".

    `calibration` holds example inputs for a float file, if it exists.
    """
    if is_tflite(path):
        if calibration.exists():
            raise ParameterError(
                f"CALIBRATION={called} is for a float ONNX file, and a .tflite file is quantised by TensorFlow Lite's"
                " converter: leave it out."
            )
        return _HalfEvenTflite(path) if rounding == "half_even" else _ExactTflite(path)
    if rounding == "tflite":
        raise ParameterError(
            "ROUNDING=tflite is for a .tflite file; the quantisers of an ONNX file round half to even: leave it out."
        )
    return _FloatFile(path, calibration, called, scratch) if calibration.exists() else UserFile(path)
