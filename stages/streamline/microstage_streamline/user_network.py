"""Convert a network that something else trained, and say what of it is no integers."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from microstage.errors import naming
from microstage.files.canonical import write_json
from microstage.models.definition import FILE
from microstage.stage import Job
from microstage.untrusted.onnx_file import NAMES
from microstage_streamline.convert import Converted, convert
from microstage_streamline.integerise.cut_short import assert_not_cut_short
from microstage_streamline.normalise.input_type import InputType, unquantised
from microstage_streamline.prove import vectors
from microstage_streamline.prove.proof import Proof
from microstage_streamline.prove.real_vectors import real_vectors
from microstage_streamline.prove.samples import attained, rows
from microstage_streamline.quantise.report import say_cost, tables
from microstage_streamline.user_file import Arrays, UserFile, opened
from microstage_streamline.write import report

__all__ = ["UserNetwork"]

_MODEL, _CALIBRATION = "model.onnx", "calibration.npz"  # as the runner calls the user's files
_FRONT = 8  # vectors on which the FINN-ONNX of a network's front is proven by itself


@dataclass(frozen=True)
class UserNetwork:
    """A network that something else trained, `model.onnx`, and the user's own inputs and answers, if given.

    What cannot be integer is said.
    """

    folder: Path
    scratch: Path
    rounding: str = ""
    given: InputType | None = None
    name: str = "model"

    @classmethod
    def of(cls, job: Job) -> UserNetwork:
        """Return the file that the user named, read as the job's parameters say."""
        rounding = job.parameters.get("rounding", "")
        return cls(job.inputs["network"], job.scratch, rounding, InputType.read(job.parameters))

    @cached_property
    def opened(self) -> UserFile:
        calibration = self.folder / _CALIBRATION
        return opened(
            self.folder / _MODEL, self.rounding, calibration, self._called(_CALIBRATION), self.scratch / "quantise"
        )

    @property
    def called(self) -> str:
        """The user's own name of the network's file."""
        return self._called(_MODEL)

    def _called(self, inside: str) -> str:
        names = self.folder / NAMES
        return json.loads(names.read_text()).get(inside, inside) if names.exists() else inside

    def convert(self) -> dict[str, Converted]:
        """Convert the one part, in the shapes and the order of the file."""
        with naming(self.called):
            return {self.name: convert(self.opened.graph(), "network", self.given)}

    def file(self, name: str, part: Converted) -> str:
        """Return what the graph is called, without its ending."""
        return part.file_name(name)

    def prove(self, job: Job, converted: dict[str, Converted]) -> dict[str, np.ndarray]:
        """Prove every tensor on the user's vectors or drawn ones, and each layer of the file beside another executor.

        Return the golden vectors.
        """
        with naming(self.called):
            return self._proven(job, converted)

    def _proven(self, job: Job, converted: dict[str, Converted]) -> dict[str, np.ndarray]:
        part = converted[self.name]
        if self.opened.quantised:
            say_cost(job, self.opened.quantised.cost)
            job.metric("quantised", self.opened.quantised.cost)
        arrays = self._arrays(part)
        assert_not_cut_short(job, part.integer_graph, {node.output for node in unquantised(part.normal).values()})
        fed = vectors.given(part.normal, part.integer_graph, arrays) if arrays else self._drawn(part)
        proof = Proof(part, fed)
        recorded = proof.integers()
        if proof.beyond_float32 and not part.beyond:
            converted[self.name] = part = part.without_finn(proof.beyond_float32)
            proof = Proof(part, fed)
            recorded = proof.integers()
        if part.front and not _front_is_proven(job, part.front, fed):
            converted[self.name] = part = replace(part, front=None)
        report.say_beyond(job, converted.values())
        proof.verified(job)
        if not part.beyond:
            proof.executor(job, recorded)
        job.metric("unresolved", len(part.integer_graph.unresolved))
        job.metric("compared", self.opened.compared(job, part, fed, recorded, arrays))
        return recorded | real_vectors(job, part, fed, arrays or {})

    def fed(
        self, converted: dict[str, Converted], recorded: dict[str, np.ndarray], count: int
    ) -> dict[str, dict[str, np.ndarray]]:
        """Return {part: {input: integers [n, ...]}}, `count` golden vectors at most, as `streams` of the part take
        them.
        """
        part = converted[self.name].front or converted[self.name]
        return {self.name: part.as_streamed({name: recorded[name][:count] for name in part.written.entered})}

    def write(self, job: Job, converted: dict[str, Converted], estimates: dict[str, Any]) -> None:
        """Write the interface, and what became integer and what did not, for people and for programs."""
        part = converted[self.name]
        file = self.file(self.name, part)
        uncompared = job.metrics["compared"]["layers"]["uncompared"]
        lacks = {"uncompared": uncompared, "missing": report.missing(part.integer_graph)}
        said = {
            "file": f"{file}.onnx",
            **part.written.interface,
            **{what: found for what, found in lacks.items() if found},
        }
        rounding = {"rounding": self.opened.rounding} if self.opened.rounding else {}
        write_json(job.output / "interface.json", {"parts": {file: said}, **rounding})
        write_json(job.output / FILE, {"model": "network", "parameters": {}})
        write_json(job.output / "unresolved.json", report.unresolved(part))
        made = self.opened.quantised
        if made:
            (job.output / "model_quantised.onnx").write_bytes(made.model.SerializeToString(deterministic=True))
        more = {"What quantising cost": tables(made.cost)} if made else {}
        (job.output / "report.md").write_text(report.markdown(part, job.metrics["compared"], estimates, more))

    def _drawn(self, part: Converted) -> dict[str, Any]:
        return attained(part, vectors.drawn(part.integer_graph, vectors.how_many(part.integer_graph)))

    def _arrays(self, part: Converted) -> Arrays | None:
        path = self.folder / "golden.npz"
        return self.opened.golden(vectors.named(vectors.read_golden(path), part.normal)) if path.exists() else None


def _front_is_proven(job: Job, front: Converted, fed: dict[str, Any]) -> bool:
    """Compare the FINN-ONNX of what stands in front of the end in qonnx, as a whole network's.

    Return False where float32 does not hold its integers.
    """
    some = {name: rows(value, range(min(_FRONT, len(getattr(value, "ints", value))))) for name, value in fed.items()}
    proof = Proof(front, some)
    recorded = proof.integers()
    if proof.beyond_float32:
        return False
    proof.executor(job, recorded)
    return True
