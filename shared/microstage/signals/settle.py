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

__all__ = ["Settling", "real_answer", "rescaled", "shifts"]

_FURTHEST = 38  # places: of integers below 2^24 nothing is left of those shifted down, and all others exceed any top
States = Mapping[str, np.ndarray]


def shifts(exponent: np.ndarray) -> np.ndarray:
    """By how many powers of two the gain of each step [n, L] exceeds that of the one before, int64; 0 at the first."""
    wide = exponent.astype(np.int64)
    return np.diff(wide, axis=1, prepend=wide[:, :1])


def rescaled(values: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """floor(values / 2^shift + 1/2), int64: integers within +-2^24, multiples of a gain, at one 2^`shift` larger."""
    down, up = (np.clip(places, 0, _FURTHEST) for places in (shift, -shift))
    half = np.where(down > 0, np.int64(1) << np.maximum(down - 1, 0), 0)
    return (values << up) + half >> down


@dataclass(frozen=True)
class Settling:
    """`tops`: {state that turns and follows the gain: its largest size}. `sum`, `count`: the states of the running
    mean, which `most` bounds; the largest size of a sum is count times that of one summand."""

    tops: Mapping[str, int]
    sum: str | None = None
    count: str | None = None
    most: int = 0
    summand: int = 0

    @classmethod
    def of(cls, sequence: Recurrence, gain: Gain | None, mean: PhasorMean | None, tops: Mapping[str, int]) -> Settling:
        """`tops`: {carried state: the largest integer of its declared range}."""
        scaled = gain.scaled if gain is not None else ()
        if mean is None:
            return cls({name: tops[name] for name in scaled})
        taken = {new: old for old, new in sequence.carried.items()}
        total, count = taken[mean.sum], taken[mean.count]
        summand = tops[total] // tops[count]
        return cls({name: tops[name] for name in scaled}, total, count, mean.most, summand)

    @classmethod
    def read(cls, interface: Mapping[str, Any]) -> Settling | None:
        """As an `interface.json` says; None where nothing is carried."""
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
        settled = {name: np.asarray(values).astype(np.int64) for name, values in states.items()}
        for name, top in self.tops.items():
            places = shift.reshape(-1, *[1] * (settled[name].ndim - 1)).astype(np.int64)
            most = _both(settled[self.count]) * self.summand if name == self.sum else top
            settled[name] = np.clip(rescaled(-settled[name], places), -most, most)
        if self.count is not None:
            full = settled[self.count] >= self.most
            settled[self.sum] = np.where(_both(full), settled[self.sum] + 1 >> 1, settled[self.sum])
            settled[self.count] = np.where(full, self.most >> 1, settled[self.count])
        return settled


def _both(values: np.ndarray) -> np.ndarray:
    """What holds for each of k phasors, [..., k], for their real parts and for their imaginary ones, [..., 2 k]."""
    return np.concatenate([values, values], axis=-1)


def real_answer(mean: PhasorMean, scales: Mapping[str, Any], ints: States, exponent: np.ndarray) -> np.ndarray:
    """max(0, 2^exponent (|sum| / count + correction)), float64 [..., k], from the integers of one step each: `sum`
    [..., 2 k], real parts before imaginary ones, `count` and `correction` [..., k]; `exponent` [...].

    `scales` are those of sum, one number, and of correction.
    """
    real, imaginary = np.split(np.asarray(ints[mean.sum]).astype(np.float64), 2, axis=-1)
    average = np.float64(scales[mean.sum]) * np.sqrt(real * real + imaginary * imaginary) / ints[mean.count]
    relative = average + np.asarray(scales[mean.correction], np.float64) * ints[mean.correction]
    return np.maximum(0.0, np.ldexp(relative, np.asarray(exponent).astype(int)[..., None]))
