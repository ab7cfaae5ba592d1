"""How far integers are from floats: signal over noise of every layer, and the error of one answer, layer by layer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from microstage.errors import ParameterError
from microstage.explaining.twins import Twins

__all__ = ["explained"]

_SHOWN = 5  # of the largest answers
_DIGITS = 6

Progress = Callable[[Iterable[Any], int, str], Iterator[Any]]


def explained(twins: Twins, sample: int | None, progress: Progress) -> dict[str, Any]:
    """Return all that `report` and the picture say of `twins`; of sample `sample`, or else the one that errs most.

    `ParameterError` for a sample that there is not.
    """
    if sample is not None and not 0 <= sample < twins.count:
        there = f"expected 0 to {twins.count - 1}; the samples are {twins.samples}"
        raise ParameterError(f"SAMPLE={sample} is not there: {there}.")
    over, seen = _OverSamples(), np.unique(np.linspace(0, twins.count - 1, min(twins.count, twins.most)).astype(int))
    batches = np.split(seen, range(twins.at_once, len(seen), twins.at_once))
    for rows in progress(batches, len(batches), "explain"):
        over.add(twins, rows)
    followed = _followed(twins, int(seen[over.worst]) if sample is None else sample, progress)
    return {
        **{name: getattr(twins, name) for name in ("floats", "integers", "samples", "count")},
        "seen": len(seen),
        **over.said(),
        "sample": {**followed, "chosen": "as the one that errs most" if sample is None else "as asked"},
    }


class _Ratio:
    """A signal and a noise in the making."""

    def __init__(self) -> None:
        self.signal, self.noise = 0.0, 0.0

    def add(self, wanted: np.ndarray, found: np.ndarray) -> None:
        self.signal += _square(wanted)
        self.noise += _square(found - wanted)

    @property
    def decibels(self) -> float | None:
        """The ratio in dB; None where there is no noise."""
        if not self.noise:
            return None
        return _short(10 * np.log10(max(self.signal, 1e-300) / self.noise))


class _OverSamples:
    """Signal and noise of each layer, over all samples."""

    def __init__(self) -> None:
        self.by_itself: dict[str, _Ratio] = {}
        self.so_far: dict[str, _Ratio] = {}
        self.answer = _Ratio()
        self.errors: list[float] = []
        self.same: list[bool] = []

    def add(self, twins: Twins, rows: np.ndarray) -> None:
        integers, floats = twins.in_integers(rows), twins.in_floats(rows)
        alone = twins.in_floats(rows, integers.layers)
        for name, found in integers.layers.items():
            self.so_far.setdefault(name, _Ratio()).add(floats.layers[name], found)
            self.by_itself.setdefault(name, _Ratio()).add(alone.layers[name], found)
        self.answer.add(floats.answer, integers.answer)
        self.errors += [_square(error) for error in integers.answer - floats.answer]
        if twins.scores:
            self.same += list(integers.answer.argmax(1) == floats.answer.argmax(1))

    @property
    def worst(self) -> int:
        """Which of the samples that were added has answers that are farthest apart."""
        return int(np.argmax(self.errors))

    def said(self) -> dict[str, Any]:
        layers = [
            {"layer": name, "by_itself_db": self.by_itself[name].decibels, "so_far_db": self.so_far[name].decibels}
            for name in self.so_far
        ]
        noise = {name: ratio.decibels for name, ratio in self.by_itself.items() if ratio.decibels is not None}
        same = {"same_class": _short(np.mean(self.same))} if self.same else {}
        return {
            "layers": layers,
            "noisiest": min(noise, key=noise.__getitem__) if noise else None,
            "answer": {"so_far_db": self.answer.decibels, **same},
        }


def _followed(twins: Twins, sample: int, progress: Progress) -> dict[str, Any]:
    """Follow one sample: its answer in floats, then with the integers of one layer after another in their place.

    What each step adds to the answer sums up to the error; what is left is of none of the layers.
    """
    rows = np.array([sample])
    integers, floats = twins.in_integers(rows), twins.in_floats(rows)
    given: dict[str, np.ndarray] = {}
    before, added = floats.answer, {}
    for name, values in progress(integers.layers.items(), len(integers.layers), f"sample {sample}"):
        given[name] = values
        answer = twins.in_floats(rows, given).answer
        added[name], before = answer - before, answer
    error, rest = integers.answer - floats.answer, integers.answer - before
    layers = [{"layer": name, **_part(step, error)} for name, step in added.items()]
    return {
        "index": sample,
        "error": _short(np.sqrt(_square(error))),
        "relative": _short(np.sqrt(_square(error) / max(_square(floats.answer), 1e-300))),
        "layers": layers,
        "rest": _part(rest, error),
        "largest": max(layers, key=lambda layer: layer["share"])["layer"] if error.any() else None,
        "floats": _answered(twins, floats.answer[0]),
        "integers": _answered(twins, integers.answer[0]),
    }


def _part(step: np.ndarray, error: np.ndarray) -> dict[str, float]:
    """Return how long a step is, and which share of the error lies along it; shares sum up to 1."""
    share = float((step * error).sum()) / _square(error) if error.any() else 0.0
    return {"size": _short(np.sqrt(_square(step))), "share": _short(share)}


def _answered(twins: Twins, answer: np.ndarray) -> dict[str, Any]:
    """Return the largest scores, and by how much the first leads; or the first values, where they are no scores."""
    if not twins.scores:
        return {"first": [_short(value) for value in answer.reshape(-1)[:_SHOWN]], "of": answer.size}
    order = np.argsort(-answer, kind="stable")
    names = twins.classes or [str(place) for place in range(len(answer))]
    largest = [[names[place], _short(answer[place])] for place in order[:_SHOWN]]
    return {"largest": largest, "margin": _short(answer[order[0]] - answer[order[1]])}


def _square(values: np.ndarray) -> float:
    return float(np.square(np.asarray(values, np.float64)).sum())


def _short(value: float) -> float:
    return float(f"{float(value):.{_DIGITS}g}")
