"""What happens to carried states between two steps, and what the answer is: integers, the same in every driver.

A step is half a cycle, after which phasors of odd harmonics have turned by half a turn: states that are such change
their sign. Windows have gains of their own, which these states follow by shifts. A running mean forgets by halves, so
that its integers stay bounded. docs/numerics.md states the rules.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from microstage.interface.answer import PhasorMean
from microstage.interface.gain import Gain
from microstage.interface.recurrence import Recurrence

__all__ = ["RunningMean", "Settling", "real_answer", "rescaled", "shifts"]

_FURTHEST = 38  # places: of integers below 2^24 nothing is left of those shifted down, and all others exceed any top
States = Mapping[str, np.ndarray]


def shifts(exponent: np.ndarray) -> np.ndarray:
    """Return by how many powers of two the gain of each step [n, L] exceeds that of the one before.

    int64; 0 at the first.
    """
    wide = exponent.astype(np.int64)
    return np.diff(wide, axis=1, prepend=wide[:, :1])


def rescaled(values: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Return floor(values / 2^shift + 1/2), int64.

    Integers within +-2^24, multiples of a gain, at one 2^`shift` larger.
    """
    down, up = (np.clip(places, 0, _FURTHEST) for places in (shift, -shift))
    half = np.where(down > 0, np.int64(1) << np.maximum(down - 1, 0), 0)
    return (values << up) + half >> down


@dataclass(frozen=True)
class RunningMean:
    """The carried states of a running mean: `sum` [n, 2 k] of phasors, and `count` [n, k] of what is in it.

    Both are halved where the count is `most`. A sum is at most count times `summand`.
    """

    sum: str
    count: str
    most: int
    summand: int

    @classmethod
    def of(cls, sequence: Recurrence, answer: PhasorMean, tops: Mapping[str, int]) -> RunningMean:
        """Return the states that `answer` is the mean of; `tops` as in `Settling.of`."""
        taken = {new: old for old, new in sequence.carried.items()}
        total, count = taken[answer.sum], taken[answer.count]
        return cls(total, count, answer.most, tops[total] // tops[count])

    def largest_sum(self, settled: States) -> np.ndarray:
        """Return the largest size [n, 2 k] that the sums can have at their counts."""
        return _both(settled[self.count]) * self.summand

    def halved(self, settled: States) -> dict[str, np.ndarray]:
        """Return the sum, a half rounded up, and the count, half of each where the count is full."""
        total, count = settled[self.sum], settled[self.count]
        full = count >= self.most
        return {
            self.sum: np.where(_both(full), total + 1 >> 1, total),
            self.count: np.where(full, self.most >> 1, count),
        }


@dataclass(frozen=True)
class Settling:
    """`tops`: {state that turns and follows the gain: its largest size}; `mean`: the states of a running mean."""

    tops: Mapping[str, int]
    mean: RunningMean | None = None

    @classmethod
    def of(
        cls, sequence: Recurrence, gain: Gain | None, answer: PhasorMean | None, tops: Mapping[str, int]
    ) -> Settling:
        """Return what settles; `tops`: {carried state: the largest integer of its declared range}."""
        scaled = gain.scaled if gain is not None else ()
        mean = RunningMean.of(sequence, answer, tops) if answer is not None else None
        return cls({name: tops[name] for name in scaled}, mean)

    @classmethod
    def read(cls, interface: Mapping[str, Any]) -> Settling | None:
        """Return what an `interface.json` says; None where nothing is carried."""
        sequence = Recurrence.read(interface)
        if sequence is None or not sequence.carried:
            return None
        ranges = {n: said["range"] for part in interface["parts"].values() for n, said in part["inputs"].items()}
        tops = {name: ranges[name][1] for name in sequence.carried}
        return cls.of(sequence, Gain.read(interface), PhasorMean.read(interface), tops)

    def between(self, states: States, shift: np.ndarray) -> dict[str, np.ndarray]:
        """Return what the next step takes of carried `states` [n, ...].

        Its gain is 2^`shift` [n] times the last one's.
        """
        settled, mean = {name: np.asarray(values).astype(np.int64) for name, values in states.items()}, self.mean
        for name, top in self.tops.items():
            places = shift.reshape(-1, *[1] * (settled[name].ndim - 1)).astype(np.int64)
            most = mean.largest_sum(settled) if mean is not None and name == mean.sum else top
            settled[name] = np.clip(rescaled(-settled[name], places), -most, most)
        return settled if mean is None else {**settled, **mean.halved(settled)}


def _both(values: np.ndarray) -> np.ndarray:
    """Return what holds for each of k phasors, [..., k], twice, [..., 2 k].

    Once for their real parts and once for their imaginary ones.
    """
    return np.concatenate([values, values], axis=-1)


def real_answer(mean: PhasorMean, scales: Mapping[str, Any], ints: States, exponent: np.ndarray) -> np.ndarray:
    """Return max(0, 2^exponent (|sum| / count + correction)), float64 [..., k], from the integers of one step each.

    They are `sum` [..., 2 k], real parts before imaginary ones, `count` and `correction` [..., k]; `exponent` [...].
    `scales` are those of sum, one number, and of correction.
    """
    real, imaginary = np.split(np.asarray(ints[mean.sum]).astype(np.float64), 2, axis=-1)
    average = np.float64(scales[mean.sum]) * np.sqrt(real * real + imaginary * imaginary) / ints[mean.count]
    relative = average + np.asarray(scales[mean.correction], np.float64) * ints[mean.correction]
    return np.maximum(0.0, np.ldexp(relative, np.asarray(exponent).astype(int)[..., None]))
