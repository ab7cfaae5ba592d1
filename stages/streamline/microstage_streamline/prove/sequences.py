"""Replay golden vectors on the streamlined graphs: every output and state, over whole sequences, and any state."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import onnx
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx

from microstage.errors import VerificationError
from microstage.integer import Interpreter
from microstage.integer.sequence import batches, integers, run_sequence
from microstage.interface import golden
from microstage.interface.gain import EXPONENT
from microstage.interface.recurrence import Recurrence
from microstage.signals.settle import Settling
from microstage.stage import Job
from microstage_streamline.finn.annotate_datatypes import provable_ranges
from microstage_streamline.finn.bipolar_to_xnor import BITS
from microstage_streamline.finn.layout import input_ranges
from microstage_streamline.finn.stored import StoredLayout

__all__ = [
    "as_taken",
    "check_annotations",
    "check_handed_over",
    "replay_any_state",
    "replay_executor",
    "replay_golden",
    "taken",
]

Models = Mapping[str, ModelWrapper]
Interface = Mapping[str, dict[str, Any]]
_RANDOM_STATES = 2048
_EXECUTED_BY_QONNX = 4
_LABEL = "label"
_REAL = "real."


class ChannelsLast:
    """An interpreter of a graph that is channels last, but for inputs that no convolution reads, in the layouts of the
    graph (`interface`) that it was made from.

    Over time, [n, L, 1, C]: inputs and everything inside are [n, C, L]; outputs are [n, L, C], as what follows runs
    over time. Over images, [n, H, W, C]: [n, C, H, W]. Where `stored` says how a tensor lies, that is what is undone.
    """

    def __init__(self, model: ModelWrapper, interface: dict[str, Any], stored: Mapping[str, StoredLayout] = {}) -> None:
        self.interpreter = Interpreter(model.model)
        own = {name: lying for name, lying in stored.items() if name == lying.name}  # others lie where they do, too
        self.lying = {lying.name: lying for lying in stored.values()} | own
        self.outputs = {output.name for output in model.graph.output}
        self.shapes = {name: tuple(tensor["shape"]) for name, tensor in interface["inputs"].items()}
        self.lowered = {value.name for value in model.graph.input if model.get_tensor_layout(value.name) is not None}
        self.over_time = any(len(self.shapes[name]) == 3 for name in self.lowered)
        self.as_they_were = {name for name in self.outputs if model.get_tensor_layout(name) is None}

    def arranged(self, name: str, x: np.ndarray) -> np.ndarray:
        """Return an input [n, C, ...] as the graph takes it: [n, L, 1, C] or [n, H, W, C] if it was lowered."""
        if name not in self.lowered:
            return x
        return np.moveaxis(x, 1, 2)[:, :, None, :] if self.over_time else np.moveaxis(x, 1, -1)

    def run(self, inputs: Mapping[str, np.ndarray], record: Iterable[str] = ()) -> dict[str, Any]:
        if not self.lowered and all(lying.is_natural for lying in self.lying.values()):
            return self.interpreter.run(inputs, record)
        found = self.interpreter.run({n: self.arranged(n, x) for n, x in inputs.items()}, record)
        return {name: self._restored(name, integers(value)) for name, value in found.items()}

    def _restored(self, name: str, value: np.ndarray) -> np.ndarray:
        if name in self.lying and name not in self.as_they_were:
            return self.lying[name].restored(value)
        if value.ndim < 4 or name in self.as_they_were:
            return value
        if not self.over_time:
            return np.moveaxis(value, -1, 1)
        return value[:, :, 0, :] if name in self.outputs else np.moveaxis(value[:, :, 0, :], 1, 2)


class _Noted(ChannelsLast):
    """Notes what the graph takes, in `taken` {input: [integers, ...]}, in the graph's own layout."""

    def __init__(self, model: ModelWrapper, interface: dict[str, Any], stored: Mapping[str, StoredLayout]) -> None:
        super().__init__(model, interface, stored)
        self.taken: dict[str, list[np.ndarray]] = {}

    def run(self, inputs: Mapping[str, np.ndarray], record: Iterable[str] = ()) -> dict[str, Any]:
        for name, value in inputs.items():
            self.taken.setdefault(name, []).append(self.arranged(name, integers(value)))
        return super().run(inputs, record)


def taken(
    models: Models,
    interface: Interface,
    vectors: Mapping[str, np.ndarray],
    sequence: Recurrence,
    stored: Mapping[str, Mapping[str, StoredLayout]],
    settling: Settling | None,
    steps: int,
) -> dict[str, dict[str, np.ndarray]]:
    """Return {part: {input: integers [n, ...]}}: what each graph takes at up to `steps` steps of the first sequence."""
    parts: dict[str, Any] = {part: _Noted(model, interface[part], stored[part]) for part, model in models.items()}
    own = {name: vectors[name][:1] for name in _own_inputs(sequence, interface) if name in vectors}
    if sequence.carried:
        own = {name: value[:, :steps] for name, value in own.items()}
    run_sequence(sequence, parts, own, {}, settling)
    return {
        part: {name: np.concatenate(values)[:steps] for name, values in noted.taken.items()}
        for part, noted in parts.items()
    }


def replay_golden(
    job: Job,
    models: Models,
    interface: Interface,
    vectors: Mapping[str, np.ndarray],
    sequence: Recurrence | None,
    stored: Mapping[str, Mapping[str, StoredLayout]],
    settling: Settling | None = None,
) -> dict[str, tuple[int, int]]:
    """Compare every recorded boundary, bit-exact or `VerificationError`; return {tensor: (lowest, highest)} of all
    tensors.

    `interface` is of each part; `settling` of what is carried from step to step.
    """
    record = {part: [o for node in model.graph.node for o in node.output] for part, model in models.items()}
    interpreters = {part: ChannelsLast(model, interface[part], stored[part]) for part, model in models.items()}
    if sequence is not None:
        return _replay_sequence(job, interpreters, interface, vectors, record, sequence, settling)
    observed: dict[str, tuple[int, int]] = {}
    for part, interpreter in interpreters.items():
        outputs = list(interface[part]["outputs"])
        found, ends = _replay(
            interpreter, {name: vectors[name] for name in interface[part]["inputs"]}, record[part], {*outputs, *vectors}
        )
        _compare(job, [*outputs, *sorted(found.keys() - {*outputs})], vectors, found)
        observed |= ends
        if _LABEL in vectors and len(outputs) == 1:
            _tell_answers(job, found[outputs[0]], vectors)
    return observed


def _replay(interpreter: ChannelsLast, inputs: Mapping[str, np.ndarray], record: Iterable[str], kept: set[str]):
    """Return (integers of those tensors that are `kept`, ends of all of them)."""
    runs, ends = [], []
    for batch in batches(inputs):
        found = {name: integers(value) for name, value in interpreter.run(batch, record).items()}
        found |= {name.removesuffix(BITS): 2 * value - 1 for name, value in found.items() if name.endswith(BITS)}
        runs.append({name: found[name] for name in kept & found.keys()})
        ends.append(_ends(found))
    widest = {name: (min(e[name][0] for e in ends), max(e[name][1] for e in ends)) for name in ends[0]}
    return {name: np.concatenate([run[name] for run in runs]) for name in runs[0]}, widest


def _tell_answers(job: Job, answers: np.ndarray, vectors: Mapping[str, np.ndarray]) -> None:
    """Say the top-1 of the integers: `answers` are places [n, 1], or scores [n, classes] of which the first of the
    largest counts.
    """
    real = vectors["real"].astype(bool)
    top = answers[:, 0] if answers.shape[1] == 1 else answers.argmax(1)
    job.metric("streamlined.answers", int(real.sum()))
    job.metric("streamlined.accuracy", float(f"{np.mean((top == vectors[_LABEL])[real]):.9g}"))


def as_taken(models: Models, interface: Interface, vectors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return those `vectors` that enter a graph, in the layout that it takes them in rather than that of the graph it
    was made from.
    """
    entering = [
        (part, name, key, tuple(tensor["shape"][1:]))
        for part in models
        for name, tensor in interface[part]["inputs"].items()
        for key in (name, f"{_REAL}{name}")
    ]
    return {
        key: ChannelsLast(models[part], interface[part]).arranged(name, vectors[key])
        for part, name, key, shape in entering
        if key in vectors and vectors[key].shape[1:] == shape
    }


def _replay_sequence(
    job: Job, interpreters, interface: Interface, vectors, record, sequence: Recurrence, settling: Settling | None
) -> dict[str, tuple[int, int]]:
    inputs = {name: vectors[name] for name in _own_inputs(sequence, interface) if name in vectors}
    found = run_sequence(sequence, interpreters, inputs, record, settling)
    border = [sequence.recorded(part, name) for part in sequence.parts for name in interface[part]["outputs"]]
    _compare(job, [*border, *sorted(set(found) & set(vectors) - {*border})], vectors, found)
    if sequence.head and _LABEL in vectors:
        _tell_answers(job, found[border[-1]], vectors)
    return _ends({**found, **{new: found[old] for old, new in sequence.states.items()}})


def _own_inputs(sequence: Recurrence, interface: Interface) -> set[str]:
    """Return what the network is given, rather than one of its parts by another, or by the step before; and the
    gains.
    """
    taken = {name for part in sequence.parts for name in interface[part]["inputs"]} | {*sequence.steps.values()}
    given = {name for part in sequence.parts for name in interface[part]["outputs"]}
    return taken - given - {*sequence.steps, *sequence.states, *sequence.last, *sequence.carried} | {EXPONENT}


def _compare(
    job: Job, names: Iterable[str], vectors: Mapping[str, np.ndarray], found: Mapping[str, np.ndarray]
) -> None:
    for boundary in names:
        result = golden.compare(boundary, vectors[boundary].astype(np.int64), found[boundary])
        job.verified(boundary, result.compared, result.equal)


def _ends(found: Mapping[str, np.ndarray]) -> dict[str, tuple[int, int]]:
    return {name: (int(value.min()), int(value.max())) for name, value in found.items()}


def replay_any_state(
    job: Job,
    source: onnx.ModelProto,
    model: ModelWrapper,
    interface: dict[str, Any],
    stored: Mapping[str, StoredLayout],
) -> None:
    """Compare a step from states that no sequence reaches: random over the declared ranges, and every corner of
    them.
    """
    rng = np.random.Generator(np.random.PCG64(0))
    ranges, shapes = input_ranges(interface), {n: t["shape"][1:] for n, t in interface["inputs"].items()}
    drawn = {n: rng.integers(low, high + 1, (_RANDOM_STATES, *shapes[n])) for n, (low, high) in ranges.items()}
    corners = np.array(np.meshgrid(*ranges.values())).reshape(len(ranges), -1)
    ends = {
        n: np.repeat(corner[:, None], np.prod(shapes[n]), 1).reshape(-1, *shapes[n])
        for n, corner in zip(ranges, corners)
    }
    values = {n: np.concatenate([drawn[n], ends[n]]) for n in ranges}
    expected, found = Interpreter(source).run(values), ChannelsLast(model, interface, stored).run(values)
    for name in expected:
        result = golden.compare(f"any state {name}", integers(expected[name]), integers(found[name]))
        job.verified(f"any state {name}", result.compared, result.equal)


def check_handed_over(models: Models, interface: Interface, sequence: Recurrence) -> int:
    """Assert that what one part gives another, or the next step, is within what that is proven for; return the number
    of tensors.

    What is carried is held within its range in between.
    """
    ranges = {part: provable_ranges(models[part], input_ranges(interface[part])) for part in sequence.parts}
    given = {name: ranges[part][name].ends for part in sequence.parts for name in interface[part]["outputs"]}
    sources = {**{name: name for name in given}, **sequence.steps, **sequence.states}
    sources |= {name: sequence.states[state] for name, state in sequence.last.items()}
    taken = [(part, name, ends) for part in sequence.parts for name, ends in input_ranges(interface[part]).items()]
    taken = [(part, name, ends) for part, name, ends in taken if sources.get(name) in given]
    for part, name, (low, high) in taken:
        least, most = given[sources[name]]
        if not low <= least <= most <= high:
            raise VerificationError(
                f"{part} takes {name} from {low} to {high}, and {sources[name]} may be {least} to {most}."
            )
    return len(taken)


def replay_executor(job: Job, part: str, model: ModelWrapper, interface: dict[str, Any]) -> None:
    """Run qonnx's own executor on the same graph: the reference is not the only one to read it so."""
    rng = np.random.Generator(np.random.PCG64(1))
    for index in range(_EXECUTED_BY_QONNX):
        drawn = {
            name: rng.integers(low, high + 1, model.get_tensor_shape(name)).astype(np.float32)
            for name, (low, high) in input_ranges(interface).items()
        }
        executed = execute_onnx(model, drawn)
        own = Interpreter(model.model).run({n: x.astype(np.int64) for n, x in drawn.items()})
        for name, expected in own.items():
            result = golden.compare(f"qonnx {part} {name}", integers(expected), executed[name].astype(np.int64))
            if index == _EXECUTED_BY_QONNX - 1:
                job.verified(f"qonnx {part} {name}", result.compared, result.equal)


def check_annotations(part: str, model: ModelWrapper, observed: Mapping[str, tuple[int, int]]) -> int:
    """Assert that every computed tensor is typed, and that what was observed fits the type; return the number of
    tensors.
    """
    checked = 0
    for node in model.graph.node:
        for name in node.output:
            kind = model.get_tensor_datatype(name)
            if not kind.is_integer():
                raise VerificationError(f"{part}: {name} has no integer type but {kind.name}.")
            low, high = observed[name]
            if not (kind.allowed(low) and kind.allowed(high)):
                raise VerificationError(f"{part}: {name} is typed {kind.name} but held {low}..{high}.")
            checked += 1
    return checked
