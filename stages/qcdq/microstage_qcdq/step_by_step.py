"""A network whose graph is one step, and which is called for every window of a record."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx

from microstage.errors import VerificationError
from microstage.interface.gain import EXPONENT
from microstage.interface.recurrence import Recurrence
from microstage.models.definition import ModelDeclaration, StepDeclaration
from microstage.signals.settle import Settling
from microstage.stage import Job
from microstage_qcdq.compose.steps import compose_step, compose_steps
from microstage_qcdq.network import COMPOSED, NetworkParts, Vectors, as_real
from microstage_qcdq.prove import proof
from microstage_qcdq.prove.reference import run_reference
from microstage_qcdq.prove.reports import report_errors, stepped
from microstage_qcdq.split.answers import Quotient
from microstage_qcdq.split.entries import IntegerInput, WindowInput
from microstage_qcdq.split.split import Split

__all__ = ["SteppedParts"]

STEP = "model_qcdq_step_composed"


class SteppedParts(NetworkParts):
    """A network whose encoder and head carry states from step to step; all of its parts run at every step.

    Golden vectors are of whole records, and their real values go by the names of real numbers.
    """

    sequence: Recurrence
    settling: Settling

    def __init__(
        self,
        graph: onnx.GraphProto,
        found: Split,
        sequence: Recurrence,
        entries: Sequence[IntegerInput],
        declared: ModelDeclaration,
        step: StepDeclaration,
    ) -> None:
        super().__init__(found, entries, declared)
        self.sequence, self.step = sequence, step
        self.answer = Quotient(self.parts, declared, step)
        tops = {name: found.ranges[name][1] for name in sequence.carried}
        self.settling = Settling.of(sequence, step.gain, step.answer, tops)
        (window,) = [entry for entry in entries if isinstance(entry, WindowInput)]
        composed = compose_step(graph.name, self.parts, sequence, window, step, self.settling)
        self.composed = {COMPOSED: compose_steps(composed, step), STEP: composed}

    def reference(self, recorded: Vectors) -> dict[str, np.ndarray]:
        given = [entry.name for entry in self.entries if entry.real not in self.step.carried]
        inputs = {name: recorded[name] for name in (*given, EXPONENT)}
        return run_reference(self.parts, self.sequence, inputs, self.settling)

    def real_vectors(self, recorded: Vectors, reference: Vectors) -> dict[str, np.ndarray]:
        (waveform,), (amplitudes,) = self.step.gain.inputs.values(), self.step.gain.outputs.values()
        return as_real({waveform: recorded[waveform], amplitudes: self.answer.real(reference, recorded)})

    @property
    def _with_states(self) -> Sequence[str]:
        return self.sequence.parts

    def _report(self, job: Job, reference: Vectors, recorded: Vectors) -> None:
        """Run the composed step over whole records, and the composed model up to its answer, which is one of those."""
        (name,) = self.step.gain.inputs.values()
        waveform = recorded[name].astype(np.float32)
        windows = waveform.reshape(*recorded[EXPONENT].shape, -1)
        found = stepped(self.composed[STEP], windows)
        length, samples = self.step.length, windows.shape[2]
        (whole,) = proof.session(self.composed[COMPOSED]).run(
            None, {self.composed[COMPOSED].graph.input[0].name: waveform[:, : length * samples]}
        )
        if not np.array_equal(whole, found[:, length - 1]):
            raise VerificationError("The composed model and its own step, run by hand, answer differently.")
        report_errors(job, self.answer.real(reference, recorded), found, recorded)
