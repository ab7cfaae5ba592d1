"""Driving graphs over many examples: a few at a time; or parts over sequences, encoder once, cell step by step from
zero, head last."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from microstage.integer.interpreter import Interpreter
from microstage.integer.tensor import QTensor
from microstage.roles import Sequence

__all__ = ["batches", "integers", "run_in_batches", "run_sequence"]

_NUMBERS = 1 << 18  # that enter at once: what a convolution makes of them are hundreds of times as many


def batches(inputs: Mapping[str, np.ndarray]) -> Iterator[dict[str, np.ndarray]]:
    """The examples [n, ...] of `inputs`, as many at a time as memory is there for."""
    count = len(next(iter(inputs.values())))
    step = max(1, _NUMBERS * count // max(1, sum(values.size for values in inputs.values())))
    for first in range(0, max(1, count), step):  # of none at all, what none gives
        yield {name: values[first : first + step] for name, values in inputs.items()}


def run_in_batches(interpreter: Interpreter, inputs: Mapping[str, np.ndarray], output: str) -> QTensor | np.ndarray:
    """One output for all examples of `inputs`."""
    runs = [interpreter.run(batch)[output] for batch in batches(inputs)]
    if isinstance(runs[0], QTensor):
        return QTensor(np.concatenate([run.ints for run in runs]), runs[0].scale)
    return np.concatenate(runs)


def run_sequence(
    sequence: Sequence,
    parts: Mapping[str, Interpreter],
    inputs: Mapping[str, np.ndarray],
    record: Mapping[str, Iterable[str]] = {},
) -> dict[str, np.ndarray]:
    """Integers by boundary for the network's `inputs` [n, ...]: what the encoder gives [n, T, C], every step's states
    [n, T, H], answers.

    `parts` by name; `record` names further tensors of each part, those of the cell stacked over time. Inputs may come
    in any shape of as many numbers as the graphs take.
    """
    count = len(next(iter(inputs.values())))

    def run(part: str, known: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        shapes = parts[part].shapes
        fed = {name: known[name].reshape(count, *shape[1:]) for name, shape in shapes.items()}
        return {name: integers(value) for name, value in parts[part].run(fed, record.get(part, ())).items()}

    found = run(sequence.encoder, inputs) if sequence.encoder else {}
    known = {**inputs, **found}
    frames = {name: known[source].reshape(count, sequence.length, -1) for name, source in sequence.steps.items()}
    shapes = parts[sequence.cell].shapes
    state = {name: np.zeros((count, *shapes[name][1:]), np.int64) for name in sequence.states}
    steps: list[dict[str, np.ndarray]] = []
    for t in range(sequence.length):
        step = run(sequence.cell, {**state, **{name: value[:, t] for name, value in frames.items()}})
        state = {old: step[new] for old, new in sequence.states.items()}
        steps.append({sequence.recorded(sequence.cell, name): value for name, value in step.items()})
    found |= {name: np.stack([step[name] for step in steps], axis=1) for name in steps[0]}
    if sequence.head:
        found |= run(sequence.head, {**inputs, **{name: state[of] for name, of in sequence.last.items()}})
    return found


def integers(value: Any) -> np.ndarray:
    """The integers of a tensor, scaled or not."""
    return value.ints if isinstance(value, QTensor) else np.asarray(value).astype(np.int64)
