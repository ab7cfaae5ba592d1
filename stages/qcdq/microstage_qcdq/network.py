"""The network in parts: one, or around its LSTM layers encoder, step and head. What is proven of it, and what is only
reported."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx

from microstage.errors import ModelError
from microstage.integer import Interpreter, QTensor
from microstage.lstm_node import OPERATOR
from microstage.models.definition import Declared
from microstage.roles import EXPONENT
from microstage.signals.gain import block_float
from microstage.stage import Job
from microstage_qcdq import proof
from microstage_qcdq.compose import ANSWER, compose
from microstage_qcdq.entries import Entry, entries_of
from microstage_qcdq.parts import answer_to_zeros, answering, entered
from microstage_qcdq.reference import answers_of, run_reference
from microstage_qcdq.split import Split, split

__all__ = ["Network"]

Vectors = Mapping[str, np.ndarray]


class Network:
    """`parts` by name with their roles (`sequence`), `ranges` of their borders, what their tables stand for (`curves`),
    and one model from the real inputs to the real answers (`composed`)."""

    def __init__(self, model: onnx.ModelProto, declared: Declared) -> None:
        """`model` with converted quantisers; the graph decides whether there is anything to step."""
        graph = model.graph
        if len(graph.output) != 1:
            raise ModelError(f"The network has {len(graph.output)} outputs; expected one.")
        self.declared, self.output, self.entries = declared, graph.output[0].name, entries_of(graph, declared)
        found = (
            split(graph, self.entries, declared)
            if any(node.op_type == OPERATOR for node in graph.node)
            else _whole(graph, self.entries)
        )
        self.parts, self.sequence, self.ranges, self.curves = (
            found.parts,
            found.sequence,
            dict(found.ranges),
            found.curves,
        )
        self.answer = answer_to_zeros(self.last)
        if self.places and declared.classes:
            self.ranges[self.output] = (0, len(declared.classes) - 1)
        if not self.places and not isinstance(self.answer, QTensor):
            raise ModelError(
                f"{self.output} is no multiple of one scale for each value;"
                " give the last layer a quantised bias (Int32Bias) or none."
            )
        self.composed = compose(graph.name, self.parts, self.sequence, self.entries, graph, declared)

    @property
    def last(self) -> onnx.ModelProto:
        """The part that answers."""
        return next(reversed(self.parts.values()))

    @property
    def places(self) -> bool:
        """Whether the answers are places of the largest scores."""
        return isinstance(self.answer, np.ndarray) and self.answer.dtype.kind == "i"

    def reference(self, recorded: Vectors) -> dict[str, np.ndarray]:
        """Integers of every boundary, running free from the recorded inputs."""
        return run_reference(self.parts, self.sequence, {entry.name: recorded[entry.name] for entry in self.entries})

    def real_vectors(self, recorded: Vectors, reference: Vectors) -> dict[str, np.ndarray]:
        """{"real.<input>", "real.<output>": float32} by the names of the integers: what goes in before any quantiser,
        and what the reference answers to it, its own quantisers and the gain included."""
        given = {entry.name: self._real_input(entry, recorded) for entry in self.entries}
        ints = {
            entry.name: self._integers(entry, given[entry.name]).reshape(reference[entry.name].shape)
            for entry in self.entries
        }
        scores = reference[self.output].copy()
        # brevitas divides in float32: at a tie it may have recorded another level than the reference's quantiser gives
        other = np.flatnonzero(
            np.any([(ints[n] != reference[n]).reshape(len(scores), -1).any(1) for n in ints], axis=0)
        )
        if len(other):
            scores[other] = answers_of(self.parts, self.sequence, {n: v[other] for n, v in ints.items()}, self.output)
        answers = self.real_answers({self.output: scores}, recorded)
        shaped = {name: value.reshape(reference[name].shape) for name, value in given.items()}
        return {f"real.{name}": value.astype(np.float32) for name, value in {**shaped, self.output: answers}.items()}

    def _real_input(self, entry: Entry, recorded: Vectors) -> np.ndarray:
        gain = self.declared.gain
        if gain is not None and entry.real == gain.window:
            return recorded[gain.inputs[entry.real]].astype(np.float32)
        return recorded[entry.real] * np.float32(1 if entry.scale is None else entry.scale)

    def _integers(self, entry: Entry, values: np.ndarray) -> np.ndarray:
        gain = self.declared.gain
        if gain is not None and entry.real == gain.window:
            return block_float(values.astype(np.float64), gain.exponents)[0]
        if entry.quantiser is None:
            return np.rint(values / np.float64(entry.scale)).astype(np.int64)
        return (
            Interpreter(entry.quantiser).run({entry.real: values.astype(np.float64)})[entry.name].astype(np.int64)
        )  # as the float functions do

    def real_answers(self, reference: Vectors, recorded: Vectors) -> np.ndarray:
        """float64 [n, ...], the gain included."""
        scores = reference[self.output]
        answers = (
            scores.astype(np.float64) if self.places else scores * np.broadcast_to(self.answer.scale, self.answer.shape)
        )
        gain = self.declared.gain
        if gain is not None and self.output in gain.outputs:
            factor = np.ldexp(1.0, recorded[EXPONENT].astype(int))
            answers = answers * factor.reshape(-1, *[1] * (answers.ndim - 1))
        return answers

    def prove_further(self, job: Job, reference: Vectors, recorded: Vectors) -> None:
        """The quantisers that integers enter behind, the step from any state; and how often levels and answers differ
        when each side runs on."""
        for entry in self.entries:
            if entry.quantiser is not None:
                proof.prove_entry(job, entry.quantiser, entry.real, recorded[entry.real], recorded[entry.name])
        if self.sequence is not None:
            proof.from_any_state(job, self.parts[self.sequence.cell], self.sequence, self.ranges)
        levels = [name for name in reference if name in recorded and (self.places or name != self.output)]
        job.metric(
            "free_running.brevitas.levels_differing",
            {n: int(np.count_nonzero(reference[n] != recorded[n])) for n in levels},
        )
        self._report(job, reference, recorded)

    def _report(self, job: Job, reference: Vectors, recorded: Vectors) -> None:
        gain = self.declared.gain
        names = {value.name for value in self.composed.graph.input}
        fed = {
            name: recorded[name].astype(np.float32) if gain and name in gain.inputs.values() else recorded[name]
            for name in names
        }
        outputs = [output.name for output in self.composed.graph.output]
        found = dict(zip(outputs, proof.session(self.composed).run(None, fed)))
        if self.places or ANSWER in outputs:
            proof.report_answers(job, self._first(reference), found[outputs[-1]], recorded)
        elif "truth" in recorded:
            proof.report_errors(job, self.real_answers(reference, recorded), found[outputs[0]], recorded)

    def _first(self, reference: Vectors) -> np.ndarray:
        """The classes: the lowest index of equal scores."""
        scores = reference[self.output]
        return scores[:, 0] if self.places else np.argmax(scores, 1)


def _whole(graph: onnx.GraphProto, entries: list[Entry]) -> Split:
    """The network in one piece; binary quantisers have no operator in QCDQ, so that it stays QONNX."""
    binary = any(node.op_type == "BipolarQuant" for node in graph.node)
    name = "model_qonnx" if binary else "model_qcdq"
    part = answering(graph, graph.name, [entered(entry) for entry in entries])
    return Split({name: part}, None, {entry.name: entry.ends for entry in entries}, {})
