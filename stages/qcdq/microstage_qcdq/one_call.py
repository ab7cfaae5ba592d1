"""A network that answers one input with one call: in one part, or around its LSTM layers encoder, step and head."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx

from microstage.models.definition import ModelDeclaration
from microstage.stage import Job
from microstage_qcdq.compose.compose import ANSWER, compose
from microstage_qcdq.network import COMPOSED, NetworkParts, Vectors, as_real
from microstage_qcdq.prove import proof
from microstage_qcdq.prove.reference import answers_of, run_reference
from microstage_qcdq.prove.reports import report_answers, report_errors
from microstage_qcdq.split.answers import Output
from microstage_qcdq.split.entries import IntegerInput
from microstage_qcdq.split.split import Split

__all__ = ["OneCallParts"]


class OneCallParts(NetworkParts):
    """A network without states that outlive a call. Real values in golden vectors go by the names of the integers."""

    def __init__(
        self, graph: onnx.GraphProto, found: Split, entries: Sequence[IntegerInput], declared: ModelDeclaration
    ) -> None:
        super().__init__(found, entries, declared)
        *_, last = self.parts.values()
        self.answer = Output(last, declared)
        if self.answer.places and declared.classes:
            self.ranges[self.answer.name] = (0, len(declared.classes) - 1)
        self.composed = {COMPOSED: compose(graph.name, self.parts, self.sequence, entries, graph, declared)}

    def reference(self, recorded: Vectors) -> dict[str, np.ndarray]:
        inputs = {entry.name: recorded[entry.name] for entry in self.entries}
        return run_reference(self.parts, self.sequence, inputs)

    def real_vectors(self, recorded: Vectors, reference: Vectors) -> dict[str, np.ndarray]:
        given = {entry.name: entry.recorded(recorded) for entry in self.entries}
        answers = self.answer.real(self._of_real_inputs(given, reference), recorded)
        shaped = {name: values.reshape(reference[name].shape) for name, values in given.items()}
        return as_real({**shaped, self.answer.name: answers})

    def _of_real_inputs(self, given: Vectors, reference: Vectors) -> dict[str, np.ndarray]:
        """Return the integers that answer to real inputs.

        Brevitas divides in float32, so that at a tie it may have recorded another level than the reference's quantiser
        gives; such rows are run again.
        """
        name = self.answer.name
        ints = {
            entry.name: entry.integers(given[entry.name]).reshape(reference[entry.name].shape) for entry in self.entries
        }
        scores = reference[name].copy()
        differing = [(ints[n] != reference[n]).reshape(len(scores), -1).any(1) for n in ints]
        other = np.flatnonzero(np.any(differing, axis=0))
        if len(other):
            scores[other] = answers_of(self.parts, self.sequence, {n: v[other] for n, v in ints.items()}, name)
        return {name: scores}

    @property
    def _with_states(self) -> Sequence[str]:
        return () if self.sequence is None else (self.sequence.cell,)

    def _report(self, job: Job, reference: Vectors, recorded: Vectors) -> None:
        gain, composed = self.declared.gain, self.composed[COMPOSED]
        fed = {
            name: recorded[name].astype(np.float32) if gain and name in gain.inputs.values() else recorded[name]
            for name in {value.name for value in composed.graph.input}
        }
        outputs = [output.name for output in composed.graph.output]
        found = dict(zip(outputs, proof.session(composed).run(None, fed)))
        if self.answer.places or ANSWER in outputs:
            report_answers(job, self._first(reference), found[outputs[-1]], recorded)
        elif "truth" in recorded:
            report_errors(job, self.answer.real(reference, recorded), found[outputs[0]], recorded)

    def _first(self, reference: Vectors) -> np.ndarray:
        """Return the classes: the lowest index of equal scores."""
        scores = reference[self.answer.name]
        return scores[:, 0] if self.answer.places else np.argmax(scores, 1)
