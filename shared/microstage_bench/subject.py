"""One network that is measured: the C that the stages wrote of it, and the files that other runtimes run.

A list of subjects is handed over as JSON: name, "c" (an artefact of cbackend), and as far as there are such "onnx",
"tflite", "baseline" (C of an earlier version) and "drawn" (true: one of the catalogue).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from microstage.errors import ArtefactError
from microstage.interface import golden
from microstage.signals.gain import block_float
from microstage_bench.ends import End, converted
from microstage_bench.generated import Generated, variants_of
from microstage_bench.network import DrawnNetwork
from microstage_bench.network_file import NetworkFile, OnnxNetwork, TfliteNetwork
from microstage_bench.outputs_agree import Vectors, ends_of
from microstage_bench.reference import run
from microstage_bench.write_models import inputs_of, network_named

__all__ = ["Subject", "read_subjects"]

_COMPARED = 64


@dataclass(frozen=True)
class Subject:
    """`c` and `baseline` are folders, the others files."""

    name: str
    c: Path
    onnx: Path | None = None
    tflite: Path | None = None
    baseline: Path | None = None
    drawn: bool = False
    scratch: Path = Path()

    @cached_property
    def network(self) -> DrawnNetwork | None:
        """The definition of a drawn network."""
        return network_named(self.name) if self.drawn else None

    @cached_property
    def onnx_file(self) -> OnnxNetwork | None:
        """The ONNX file, if there is one."""
        return OnnxNetwork(self.onnx) if self.onnx else None

    @cached_property
    def tflite_file(self) -> TfliteNetwork | None:
        """The .tflite file, if there is one."""
        return TfliteNetwork(self.tflite) if self.tflite else None

    @cached_property
    def file(self) -> NetworkFile:
        """What says the most of the network: its ONNX file, else its .tflite file."""
        found = self.onnx_file or self.tflite_file
        if found is None:
            raise ArtefactError(f"{self.name} has neither an ONNX file nor a .tflite file to be compared with.")
        return found

    @cached_property
    def rounding(self) -> str:
        """ "tflite" where the C was made to answer what TFLite Micro answers."""
        return self.interface.get("rounding", "")

    @cached_property
    def interface(self) -> dict[str, Any]:
        return json.loads((self.c / "interface.json").read_text())

    @cached_property
    def size(self) -> tuple[int | None, int]:
        """(multiply-accumulates, weights), as the training said or as the ONNX file has them."""
        said = json.loads((self.c / "model_def.json").read_text())
        macs, weights = said.get("multiply_accumulates"), said.get("weights")
        return (macs, weights) if macs and weights else self.file.macs_and_weights

    @cached_property
    def ends_inside(self) -> bool:
        """Whether the C ends before the file does."""
        return self._c.outputs[0].name not in (end.name for end in self.file.outputs) and self._inside is not None

    @cached_property
    def answer(self) -> End:
        """What the answers of the C are in the file: the output of that name, a tensor inside, else the first output
        of their size.
        """
        end, outputs = self._c.outputs[0], self.file.outputs
        named = next((other for other in outputs if other.name == end.name), None)
        sized = next((other for other in outputs if other.size == end.size), None)
        return named or self._inside or sized or end

    @cached_property
    def vectors(self) -> Vectors:
        """What the C is fed with and has to answer: of a drawn network by its own reference, else golden vectors."""
        return self.rounded_vectors("half_even") if self.network else self._golden()

    def rounded_vectors(self, rounding: str) -> Vectors:
        """Return the vectors; what a drawn network has to answer in another `rounding` is known to the bit as well."""
        return self._drawn(self.network, rounding) if self.network else self.vectors

    def _drawn(self, network: DrawnNetwork, rounding: str) -> Vectors:
        """Return inputs like those that the network was calibrated on, and the answers of its reference in that
        rounding.
        """
        taken, given = ends_of(network)
        inputs = inputs_of(network, _COMPARED, seed=1)
        answer = run(network, inputs, rounding)[network.output]
        c_taken, c_given = self._ends
        return Vectors(
            converted([inputs[end.name] for end in taken], taken, c_taken),
            converted([answer], [given], c_given),
            c_taken,
            c_given,
        )

    def _golden(self) -> Vectors:
        vectors, (taken, given) = golden.load(self.c / golden.FILE), self._ends
        if "answer" in self.interface:
            return Vectors(self._real(vectors, taken), self._real(vectors, given), taken, given)
        count = len(vectors[taken[0].name])
        chosen = [row for row in range(count) if self._plain(vectors, row)]
        chosen = [chosen[place] for place in np.linspace(0, len(chosen) - 1, min(_COMPARED, len(chosen))).astype(int)]
        return Vectors(
            [vectors[end.name][chosen] for end in taken], [vectors[end.name][chosen] for end in given], taken, given
        )

    def _real(self, vectors: dict[str, np.ndarray], ends: list[End]) -> list[np.ndarray]:
        """Return the steps of one answer, of records: all that goes in, and what the last of them answers."""
        steps, found = self.interface["sequence"]["length"], []
        for end in ends:
            values = vectors[f"real.{end.name}"]
            first = (steps - 1) * end.size if end in self._c.outputs else 0
            found.append(values.reshape(len(values), -1)[:_COMPARED, first : first + end.size])
        return found

    def _plain(self, vectors: dict[str, np.ndarray], row: int) -> bool:
        """Return whether a gain per window, where the network has one, leaves this window as it is."""
        if "gain" not in self.interface:
            return True
        window = next(end for end in self._c.inputs if end.name in self.interface["gain"]["inputs"])
        return int(block_float(window.real(vectors[window.name][row : row + 1]).reshape(1, -1))[1][0]) == 0

    @cached_property
    def _c(self) -> Generated:
        return Generated(self.c, variants_of(self.c)[0], self.scratch)

    @cached_property
    def _inside(self) -> End | None:
        """The tensor inside the file that the C ends at."""
        return self.file.inside(self._c.outputs[0].name)

    @cached_property
    def _ends(self) -> tuple[list[End], list[End]]:
        """Those of the C, with the file's own meaning where its integers are the file's."""
        if self.onnx is None:  # the interface says what the integers of a .tflite file are
            return self._c.inputs, self._c.outputs
        named = {end.name: end for end in self.file.inputs}
        files = [named.get(end.name, other) for end, other in zip(self._c.inputs, self.file.inputs)]
        taken = [end.within(file) for end, file in zip(self._c.inputs, files)]
        return taken, [end.within(self.answer) for end in self._c.outputs]


def read_subjects(path: Path, scratch: Path) -> list[Subject]:
    """Return the subjects in the JSON that the runner wrote."""
    return [_subject(fields, scratch) for fields in json.loads(path.read_text())]


def _subject(fields: Mapping[str, Any], scratch: Path) -> Subject:
    onnx, tflite, baseline = (Path(fields[name]) if name in fields else None for name in ("onnx", "tflite", "baseline"))
    return Subject(fields["name"], Path(fields["c"]), onnx, tflite, baseline, fields.get("drawn", False), scratch)
