"""The network in parts: one, or around its LSTM layers encoder, step and head. What is proven of it, and what is only
reported."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx

from microstage.errors import ModelError, VerificationError
from microstage.integer import Interpreter
from microstage.interface.gain import EXPONENT
from microstage.interface.lstm_node import OPERATOR
from microstage.models.definition import ModelDeclaration
from microstage.signals.gain import bits_at, block_float
from microstage.signals.settle import Settling
from microstage.stage import Job
from microstage_qcdq.compose.compose import ANSWER, compose
from microstage_qcdq.compose.steps import compose_step, compose_steps
from microstage_qcdq.prove import proof
from microstage_qcdq.prove.reference import answers_of, run_reference
from microstage_qcdq.prove.reports import report_answers, report_errors, stepped
from microstage_qcdq.prove.rows import Rows
from microstage_qcdq.split.answers import answer_of
from microstage_qcdq.split.entries import IntegerInput, entries_of
from microstage_qcdq.split.part import answering, entered
from microstage_qcdq.split.split import Split, split

__all__ = ["NetworkParts"]

Vectors = Mapping[str, np.ndarray]
COMPOSED, STEP = "model_qcdq_composed", "model_qcdq_step_composed"


class NetworkParts:
    """`parts` by name with their roles (`sequence`) and what settles between two steps (`settling`), `ranges` of their
    borders, what their tables stand for (`curves`), its `answer`, and `composed`: {name: model from real inputs to real
    answers}."""

    def __init__(self, model: onnx.ModelProto, declared: ModelDeclaration) -> None:
        """`model` with converted quantisers; the graph decides whether there is anything to step."""
        graph = model.graph
        if len(graph.output) != 1 and declared.answer is None:
            raise ModelError(f"The network has {len(graph.output)} outputs; expected one.")
        self.declared, self.entries = declared, entries_of(graph, declared)
        found = (
            split(graph, self.entries, declared)
            if any(node.op_type == OPERATOR for node in graph.node)
            else _whole(graph, self.entries)
        )
        self.parts, self.sequence, self.curves = found.parts, found.sequence, found.curves
        self.ranges = dict(found.ranges)
        self.answer = answer_of(self.parts, declared)
        if self.answer.places and declared.classes:
            self.ranges[self.answer.name] = (0, len(declared.classes) - 1)
        self.settling = _settling(found, declared)
        self.composed = self._composed(graph)

    def _composed(self, graph: onnx.GraphProto) -> dict[str, onnx.ModelProto]:
        if not self.declared.carried:
            model = compose(graph.name, self.parts, self.sequence, self.entries, graph, self.declared)
            return {COMPOSED: model}
        step = compose_step(graph.name, self.parts, self.sequence, self.entries, self.declared, self.settling)
        return {COMPOSED: compose_steps(step, self.sequence, self.declared), STEP: step}

    @property
    def given(self) -> list[IntegerInput]:
        """The inputs that are not carried from step to step."""
        return [entry for entry in self.entries if entry.real not in self.declared.carried]

    def reference(self, recorded: Vectors) -> dict[str, np.ndarray]:
        """Integers of every boundary, running free from the recorded inputs."""
        inputs = {entry.name: recorded[entry.name] for entry in self.given}
        if self.declared.carried:
            inputs[EXPONENT] = recorded[EXPONENT]
        return run_reference(self.parts, self.sequence, inputs, self.settling)

    def rows(self, vectors: Vectors) -> Rows:
        """`vectors` by boundary."""
        return Rows(vectors, self.sequence, self.settling)

    def real_vectors(self, recorded: Vectors, reference: Vectors) -> dict[str, np.ndarray]:
        """{"real.<input>", "real.<answer>": float32}: what goes in before any quantiser, and what the reference answers
        to it, its own quantisers and the gain included. By the names of the integers, of one answer; of whole records,
        as they are called in real numbers."""
        if self.declared.carried:
            (waveform,), (amplitudes,) = self.declared.gain.inputs.values(), self.declared.gain.outputs.values()
            found = {waveform: recorded[waveform], amplitudes: self.answer.real(reference, recorded[EXPONENT])}
        else:
            given = {entry.name: self._real_input(entry, recorded) for entry in self.given}
            answers = self.answer.real(self._of_real_inputs(given, reference), recorded.get(EXPONENT))
            shaped = {name: values.reshape(reference[name].shape) for name, values in given.items()}
            found = {**shaped, self.answer.name: answers}
        return {f"real.{name}": values.astype(np.float32) for name, values in found.items()}

    def _of_real_inputs(self, given: Vectors, reference: Vectors) -> dict[str, np.ndarray]:
        """The integers that answer to real inputs: brevitas divides in float32, so that at a tie it may have recorded
        another level than the reference's quantiser gives."""
        name = self.answer.name
        ints = {
            entry.name: self._integers(entry, given[entry.name]).reshape(reference[entry.name].shape)
            for entry in self.given
        }
        scores = reference[name].copy()
        other = np.flatnonzero(
            np.any([(ints[n] != reference[n]).reshape(len(scores), -1).any(1) for n in ints], axis=0)
        )
        if len(other):
            scores[other] = answers_of(self.parts, self.sequence, {n: v[other] for n, v in ints.items()}, name)
        return {name: scores}

    def _real_input(self, entry: IntegerInput, recorded: Vectors) -> np.ndarray:
        gain = self.declared.gain
        if gain is not None and entry.real == gain.window:
            return recorded[gain.inputs[entry.real]].astype(np.float32)
        return recorded[entry.real] * np.float32(1 if entry.scale is None else entry.scale)

    def _integers(self, entry: IntegerInput, values: np.ndarray) -> np.ndarray:
        gain = self.declared.gain
        if gain is not None and entry.real == gain.window:
            return block_float(values.astype(np.float64), gain.exponents, bits_at(entry.scale))[0]
        if entry.quantiser is None:
            return np.rint(values / np.float64(entry.scale)).astype(np.int64)
        return (
            Interpreter(entry.quantiser).run({entry.real: values.astype(np.float64)})[entry.name].astype(np.int64)
        )  # as the float functions do

    def prove_further(self, job: Job, reference: Vectors, recorded: Vectors) -> None:
        """The quantisers that integers enter behind, the parts from any state; and how often levels and answers differ
        when each side runs on."""
        for entry in self.entries:
            if entry.quantiser is not None:
                proof.prove_entry(job, entry.quantiser, entry.real, recorded[entry.real], recorded[entry.name])
        if self.sequence is not None:
            with_states = self.sequence.parts if self.sequence.carried else (self.sequence.cell,)
            parts = [(name, self.parts[name]) for name in with_states]
            proof.from_any_state(job, parts, self.ranges, self.rows(reference))
        levels = [name for name in reference if name in recorded and recorded[name].dtype.kind in "iu"]
        job.metric(
            "free_running.brevitas.levels_differing",
            {n: int(np.count_nonzero(reference[n].reshape(-1) != recorded[n].reshape(-1))) for n in levels},
        )
        self._report(job, reference, recorded)

    def _report(self, job: Job, reference: Vectors, recorded: Vectors) -> None:
        if self.declared.carried:
            self._report_steps(job, reference, recorded)
            return
        gain = self.declared.gain
        composed = self.composed[COMPOSED]
        names = {value.name for value in composed.graph.input}
        fed = {
            name: recorded[name].astype(np.float32) if gain and name in gain.inputs.values() else recorded[name]
            for name in names
        }
        outputs = [output.name for output in composed.graph.output]
        found = dict(zip(outputs, proof.session(composed).run(None, fed)))
        if self.answer.places or ANSWER in outputs:
            report_answers(job, self._first(reference), found[outputs[-1]], recorded)
        elif "truth" in recorded:
            answers = self.answer.real(reference, recorded.get(EXPONENT))
            report_errors(job, answers, found[outputs[0]], recorded)

    def _report_steps(self, job: Job, reference: Vectors, recorded: Vectors) -> None:
        """The composed step over whole records, and the composed model up to its answer, which is one of those."""
        waveform = recorded[self.declared.gain.inputs[self.declared.gain.window]].astype(np.float32)
        windows = waveform.reshape(*recorded[EXPONENT].shape, -1)
        found = stepped(self.composed[STEP], windows)
        length, samples = self.sequence.length, windows.shape[2]
        (whole,) = proof.session(self.composed[COMPOSED]).run(
            None, {self.composed[COMPOSED].graph.input[0].name: waveform[:, : length * samples]}
        )
        if not np.array_equal(whole, found[:, length - 1]):
            raise VerificationError("The composed model and its own step, run by hand, answer differently.")
        report_errors(job, self.answer.real(reference, recorded[EXPONENT]), found, recorded)

    def _first(self, reference: Vectors) -> np.ndarray:
        """The classes: the lowest index of equal scores."""
        scores = reference[self.answer.name]
        return scores[:, 0] if self.answer.places else np.argmax(scores, 1)


def _settling(found: Split, declared: ModelDeclaration) -> Settling | None:
    if found.sequence is None or not found.sequence.carried:
        return None
    tops = {name: found.ranges[name][1] for name in found.sequence.carried}
    return Settling.of(found.sequence, declared.gain, declared.answer, tops)


def _whole(graph: onnx.GraphProto, entries: list[IntegerInput]) -> Split:
    """The network in one piece; binary quantisers have no operator in QCDQ, so that it stays QONNX."""
    binary = any(node.op_type in ("BipolarQuant", "Quant") for node in graph.node)
    name = "model_qonnx" if binary else "model_qcdq"
    answers = [output.name for output in graph.output]
    part = answering(graph, graph.name, answers, [entered(entry) for entry in entries])
    return Split({name: part}, None, {entry.name: entry.ends for entry in entries}, {})
