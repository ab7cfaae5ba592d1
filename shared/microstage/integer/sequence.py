"""Run graphs over many examples, a few at a time; and parts over sequences.

The cell runs step by step from zero between encoder and head, or all parts run at every step.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from microstage.integer.interpreter import Interpreter
from microstage.integer.tensor import QTensor
from microstage.interface.gain import EXPONENT
from microstage.interface.recurrence import Recurrence
from microstage.signals.settle import Settling, shifts

__all__ = ["batches", "carried_into", "each_step", "integers", "run_in_batches", "run_sequence"]

_NUMBERS = 1 << 18  # that enter at once: what a convolution makes of them are hundreds of times as many


def batches(inputs: Mapping[str, np.ndarray]) -> Iterator[dict[str, np.ndarray]]:
    """Yield the examples [n, ...] of `inputs`, as many at a time as memory is there for."""
    count = len(next(iter(inputs.values())))
    step = max(1, _NUMBERS * count // max(1, sum(values.size for values in inputs.values())))
    for first in range(0, max(1, count), step):  # of none at all, what none gives
        yield {name: values[first : first + step] for name, values in inputs.items()}


def run_in_batches(interpreter: Interpreter, inputs: Mapping[str, np.ndarray], output: str) -> QTensor | np.ndarray:
    """Return one output for all examples of `inputs`."""
    runs = [interpreter.run(batch)[output] for batch in batches(inputs)]
    if isinstance(runs[0], QTensor):
        return QTensor(np.concatenate([run.ints for run in runs]), runs[0].scale)
    return np.concatenate(runs)


def run_sequence(
    sequence: Recurrence,
    parts: Mapping[str, Interpreter],
    inputs: Mapping[str, np.ndarray],
    record: Mapping[str, Iterable[str]] = {},
    settling: Settling | None = None,
) -> dict[str, np.ndarray]:
    """Return integers by boundary, as golden vectors call them, for the network's `inputs`.

    Inputs [n, ...]: what the encoder gives [n, T, C], every step's states [n, T, H], answers [n, ...]. Where states are
    carried, inputs are [n, L, ...] of L steps, and so is everything that is found; `settling` says what happens to
    those states in between, by `gain_exponent` [n, L] among the inputs.

    `parts` by name; `record` names further tensors of each part. Inputs may come in any shape of as many numbers as the
    graphs take.
    """
    run = _Runner(parts, record)
    if sequence.carried:
        return _over_time(list(_stepped(sequence, run, inputs, settling)))
    return _around_the_cell(sequence, run, inputs)


class _Runner:
    """Calls a part with those of the known tensors that it takes, and gives integers."""

    def __init__(self, parts: Mapping[str, Interpreter], record: Mapping[str, Iterable[str]]) -> None:
        self.parts, self.record = parts, record

    def __call__(self, part: str, known: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        shapes = self.parts[part].shapes
        fed = {name: known[name].reshape(-1, *shape[1:]) for name, shape in shapes.items()}
        return {name: integers(value) for name, value in self.parts[part].run(fed, self.record.get(part, ())).items()}

    def zeros(self, part: str, names: Iterable[str], count: int) -> dict[str, np.ndarray]:
        shapes = self.parts[part].shapes
        return {name: np.zeros((count, *shapes[name][1:]), np.int64) for name in names if name in shapes}


def _around_the_cell(sequence: Recurrence, run: _Runner, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Run the encoder once, the cell `length` times, the head once."""
    count = len(next(iter(inputs.values())))
    found = run(sequence.encoder, inputs) if sequence.encoder else {}
    known = {**inputs, **found}
    frames = {name: known[source].reshape(count, sequence.length, -1) for name, source in sequence.steps.items()}
    state = run.zeros(sequence.cell, sequence.states, count)
    steps: list[dict[str, np.ndarray]] = []
    for t in range(sequence.length):
        step = run(sequence.cell, {**state, **{name: value[:, t] for name, value in frames.items()}})
        state = {old: step[new] for old, new in sequence.states.items()}
        steps.append(_as_recorded(sequence, sequence.cell, step))
    found |= _over_time(steps)
    if sequence.head:
        found |= run(sequence.head, {**inputs, **{name: state[of] for name, of in sequence.last.items()}})
    return found


def each_step(
    sequence: Recurrence, parts: Mapping[str, Interpreter], inputs: Mapping[str, np.ndarray], settling: Settling | None
) -> Iterator[dict[str, np.ndarray]]:
    """Run as `run_sequence` does where states are carried, and yield one step [n, ...] after the other.

    No more than a step is held, however long the sequence is.
    """
    return _stepped(sequence, _Runner(parts, {}), inputs, settling)


def _stepped(
    sequence: Recurrence, run: _Runner, inputs: Mapping[str, np.ndarray], settling: Settling | None
) -> Iterator[dict[str, np.ndarray]]:
    """Run encoder, cell and head, one after the other, at each of the steps that the inputs have."""
    count, length = next(iter(inputs.values())).shape[:2]
    shift = shifts(inputs.get(EXPONENT, np.zeros((count, length), np.int8)))
    state = {name: zero for part in sequence.parts for name, zero in run.zeros(part, _taken(sequence), count).items()}
    for t in range(length):
        if t and settling is not None:
            state |= settling.between({name: state[name] for name in sequence.carried}, shift[:, t])
        known = {**{name: value[:, t] for name, value in inputs.items()}, **state}
        step: dict[str, np.ndarray] = {}
        for part in sequence.parts:
            found = run(part, known | {name: known[source] for name, source in _reads(sequence, part).items()})
            known |= found
            step |= _as_recorded(sequence, part, found)
        state = {old: known[new] for old, new in _taken(sequence).items()}
        yield step


def _taken(sequence: Recurrence) -> dict[str, str]:
    return {**sequence.states, **sequence.carried}


def _reads(sequence: Recurrence, part: str) -> Mapping[str, str]:
    """Return what a part takes of the step that it belongs to under another name."""
    if part == sequence.cell:
        return sequence.steps
    return {name: sequence.states[of] for name, of in sequence.last.items()} if part == sequence.head else {}


def _as_recorded(sequence: Recurrence, part: str, found: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {sequence.recorded(part, name): value for name, value in found.items()}


def _over_time(steps: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {name: np.stack([step[name] for step in steps], axis=1) for name in steps[0]}


def carried_into(
    sequence: Recurrence, settling: Settling | None, vectors: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Return {carried state: what each step [n, L, ...] takes it as}, of `vectors` as `run_sequence` records them."""
    before = {old: vectors[new].astype(np.int64) for old, new in sequence.carried.items()}
    before = {old: np.concatenate([np.zeros_like(v[:, :1]), v[:, :-1]], axis=1) for old, v in before.items()}
    if settling is None:
        return before
    n, length = next(iter(before.values())).shape[:2]
    rows = {name: value.reshape(n * length, *value.shape[2:]) for name, value in before.items()}
    shift = shifts(vectors.get(EXPONENT, np.zeros((n, length), np.int8)))
    settled = settling.between(rows, shift.reshape(-1))
    return {name: value.reshape(before[name].shape) for name, value in settled.items()}


def integers(value: Any) -> np.ndarray:
    """Return the integers of a tensor, scaled or not."""
    return value.ints if isinstance(value, QTensor) else np.asarray(value).astype(np.int64)
