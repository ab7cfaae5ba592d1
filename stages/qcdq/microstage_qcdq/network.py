"""A network in parts: what is proven of it, and what is only reported."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx

from microstage.interface.recurrence import Recurrence
from microstage.models.definition import ModelDeclaration
from microstage.signals.settle import Settling
from microstage.stage import Job
from microstage_qcdq.graph.boundaries import less_zero_points
from microstage_qcdq.graph.build import constants
from microstage_qcdq.interface import describe
from microstage_qcdq.prove import proof
from microstage_qcdq.prove.rows import Rows
from microstage_qcdq.split.entries import IntegerInput, QuantisedInput
from microstage_qcdq.split.split import Split

__all__ = ["COMPOSED", "NetworkParts", "Vectors", "as_real"]

Vectors = Mapping[str, np.ndarray]
COMPOSED = "model_qcdq_composed"


class NetworkParts(ABC):
    """A network in `parts` by name, with their roles (`sequence`; None: one part, called once).

    `ranges` are those of the parts' borders, `curves` what their tables stand for, and `composed` are models from real
    inputs to real answers, by name. `settling` says what happens to states that are carried from step to step.
    """

    sequence: Recurrence | None
    settling: Settling | None = None
    composed: Mapping[str, onnx.ModelProto]

    def __init__(self, found: Split, entries: Sequence[IntegerInput], declared: ModelDeclaration) -> None:
        self.declared, self.entries = declared, entries
        self.parts, self.sequence, self.curves = found.parts, found.sequence, found.curves
        self.ranges = dict(found.ranges)

    @property
    def interface(self) -> dict[str, Any]:
        """What `interface.json` says."""
        floored = [entry for entry in self.entries if isinstance(entry, QuantisedInput) and entry.rounding != "ROUND"]
        roundings = {entry.name: entry.rounding for entry in floored}
        return describe(self.parts, self.sequence, self.ranges, roundings, self.declared)

    def as_boundaries(self, recorded: Vectors) -> dict[str, np.ndarray]:
        """Return what the framework recorded as the boundaries of the parts have it."""
        found = dict(recorded)
        for part in self.parts.values():
            found = less_zero_points(found, part.graph)
        return found

    def centred(self, reference: Vectors) -> dict[str, np.ndarray]:
        """Return the integers of the reference less their zero points, where they have one, as `<boundary>.real`."""
        found = {}
        for part in self.parts.values():
            known = constants(part.graph)
            read = [node for node in part.graph.node if node.op_type == "DequantizeLinear" and len(node.input) > 2]
            for node in read:
                if node.input[0] in reference and known[node.input[2]].any():
                    found[node.output[0]] = reference[node.input[0]].astype(np.int64) - int(known[node.input[2]])
        return found

    def rows(self, vectors: Vectors) -> Rows:
        """Return `vectors` by boundary."""
        return Rows(vectors, self.sequence, self.settling)

    @abstractmethod
    def reference(self, recorded: Vectors) -> dict[str, np.ndarray]:
        """Return the integers of every boundary, running free from the recorded inputs."""

    @abstractmethod
    def real_vectors(self, recorded: Vectors, reference: Vectors) -> dict[str, np.ndarray]:
        """Return {"real.<input>", "real.<answer>": float32}.

        Inputs are as they are before any quantiser; answers are the reference's to them, its own quantisers and the
        gain included.
        """

    def prove_further(self, job: Job, reference: Vectors, recorded: Vectors) -> None:
        """Prove the quantisers that integers enter behind, and the parts from any state; report what runs on freely.

        Reported is how often levels and answers differ when each side runs on from its own integers.
        """
        for entry in self.entries:
            if isinstance(entry, QuantisedInput):
                proof.prove_entry(job, entry, recorded[entry.real], recorded[entry.name])
        parts = [(name, self.parts[name]) for name in self._with_states]
        proof.from_any_state(job, parts, self.ranges, self.rows(reference))
        levels = [name for name in reference if name in recorded and recorded[name].dtype.kind in "iu"]
        job.metric(
            "free_running.brevitas.levels_differing",
            {n: int(np.count_nonzero(reference[n].reshape(-1) != recorded[n].reshape(-1))) for n in levels},
        )
        self._report(job, reference, recorded)

    @property
    @abstractmethod
    def _with_states(self) -> Sequence[str]:
        """The parts that take states."""

    @abstractmethod
    def _report(self, job: Job, reference: Vectors, recorded: Vectors) -> None:
        """Report how far the answers of composed models are from the reference's."""


def as_real(found: Vectors) -> dict[str, np.ndarray]:
    """Return real values as golden vectors hold them."""
    return {f"real.{name}": values.astype(np.float32) for name, values in found.items()}
