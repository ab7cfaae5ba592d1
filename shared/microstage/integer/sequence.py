"""Driving graphs over many examples: a few at a time; or three parts over sequences, CNN once, the LSTM T times from zero, heads last."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from microstage.integer.interpreter import Interpreter
from microstage.integer.tensor import QTensor

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
    parts: Mapping[str, Interpreter], windows: np.ndarray, record: Mapping[str, Iterable[str]] = {}
) -> dict[str, np.ndarray]:
    """Integers by boundary for `windows` int8 [n, N]: features [n, T, C], hidden and cell [n, T, H], harmonics [n, 4].

    `parts` are "cnn", "lstm" and "mlp"; `record` names further tensors of each part, stacked over time for the LSTM.
    """
    cnn = parts["cnn"].run({"window": windows[:, None]}, record.get("cnn", ()))
    features = integers(cnn.pop("features"))
    steps: list[dict[str, np.ndarray]] = []
    width = parts["lstm"].state_width("hidden")
    state = {name: np.zeros((len(windows), width), np.int64) for name in ("hidden", "cell")}
    for t in range(features.shape[1]):
        found = parts["lstm"].run({"features_t": features[:, t], **state}, record.get("lstm", ()))
        found = {name: integers(value) for name, value in found.items()}
        state = {"hidden": found.pop("hidden_next"), "cell": found.pop("cell_next")}
        steps.append({**found, **state})
    over_time = {name: np.stack([step[name] for step in steps], axis=1) for name in steps[0]}
    mlp = parts["mlp"].run({"hidden": state["hidden"]}, record.get("mlp", ()))
    rest = {name: integers(value) for name, value in {**cnn, **mlp}.items()}
    return {"features": features, **over_time, **rest}


def integers(value: Any) -> np.ndarray:
    """The integers of a tensor, scaled or not."""
    return value.ints if isinstance(value, QTensor) else np.asarray(value).astype(np.int64)
