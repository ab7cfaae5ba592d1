"""Sequences of windows, as the network steps through them, and what recordings give of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from microstage.datasets.power.splits import Recording
from microstage.signals import SAMPLES_PER_CYCLE

__all__ = ["MEASURED", "Sequences", "cut", "cut_in_steps", "draw", "joined", "with_steps"]

MEASURED = np.array((1, 3, 5, 7))
_SUPERPOSED = _STEPPED = 0.5  # shares of what is drawn
_LEAST_STEP = 0.1  # to which an amplitude falls, or from which it rises


@dataclass(frozen=True)
class Sequences:
    """n sequences of L windows of S samples, one after another: `windows` [n, L, S] in A or V.

    `coefficients` [n, L, 4]: complex amplitudes of H1, H3, H5, H7 of the components that sound at each window's last
    sample, as they are at its first. `source` [n] says where a sequence is from. `changed` [n]: the sample at which
    load or amplitude last changed, 0 where they did not; a window from there on is wholly behind the change.
    """

    windows: np.ndarray
    coefficients: np.ndarray
    source: np.ndarray
    changed: np.ndarray

    @property
    def truth(self) -> np.ndarray:
        """Peak amplitudes [n, L, 4]."""
        return np.abs(self.coefficients)

    def __getitem__(self, rows: np.ndarray | slice) -> Sequences:
        return Sequences(self.windows[rows], self.coefficients[rows], self.source[rows], self.changed[rows])

    def __len__(self) -> int:
        return len(self.windows)


def cut_in_steps(x: np.ndarray, length: int) -> np.ndarray:
    """Return waveforms [n, L * length] as windows [n, L, length]."""
    return x.reshape(len(x), x.shape[1] // length, length)


def joined(parts: Sequence[Sequences]) -> Sequences:
    return Sequences(
        *(np.concatenate([getattr(p, f) for p in parts]) for f in ("windows", "coefficients", "source", "changed"))
    )


def cut(recordings: Sequence[Recording], steps: int, length: int, hop: int) -> Sequences:
    """Return sequences that start at every `hop`th sample of each recording, in order; nothing is changed in them."""
    starts = [np.arange(0, _starts(r, steps * length), hop) for r in recordings]
    return joined([_cut_at([r] * len(start), start, steps, length) for r, start in zip(recordings, starts)])


def draw(recordings: Sequence[Recording], count: int, steps: int, length: int, rng: np.random.Generator) -> Sequences:
    """Return sequences from anywhere in the recordings, at gains within a factor of two, and either sign.

    To half of them that of a second recording is added, as currents of two loads add up: few sources then look like
    many. Half of them change at any sample: all of it becomes larger or smaller, or the second load comes or goes.
    """
    first, second = (_anywhere(recordings, count, steps, length, rng) for _ in range(2))
    gain = 2.0 ** rng.uniform(-1, 1, count) * rng.choice((-1.0, 1.0), count)
    size = 10 ** rng.uniform(-1.5, 0, count) * rng.choice((-1.0, 1.0), count) * gain * _relative_peak(first, second)
    size[rng.random(count) >= _SUPERPOSED] = 0.0
    return _changed(first, second, gain, size, rng.random(count) < _STEPPED, rng)


def with_steps(sequences: Sequences, rng: np.random.Generator) -> Sequences:
    """Return each sequence with one change at any sample.

    Its amplitude changes, or its load, which becomes another sequence's.
    """
    order = rng.permutation(len(sequences))
    other = sequences[order]
    size = 10 ** rng.uniform(-1.5, 0, len(order)) * _relative_peak(sequences, other)
    size[rng.random(len(order)) >= _SUPERPOSED] = 0.0
    return _changed(sequences, other, np.ones(len(order)), size, np.ones(len(order), bool), rng)


def _changed(
    first: Sequences,
    second: Sequences,
    gain: np.ndarray,
    size: np.ndarray,
    changes: np.ndarray,
    rng: np.random.Generator,
) -> Sequences:
    """Return `gain` times the first and `size` times the second load.

    They change at one sample where `changes` [n] says so.

    Where there is a second load (size not 0) it comes or goes; where not, the first becomes larger or smaller.
    """
    count, steps, length = first.windows.shape
    changed = np.where(changes, rng.integers(1, steps * length, count), 0)
    rises = rng.random(count) < 0.5
    low = np.where(size != 0, 0.0, _LEAST_STEP ** rng.random(count))
    before, after = np.where(rises, low, 1.0), np.where(rises, 1.0, low)
    after = np.where(changes, after, 1.0)

    def stepped(of: Sequences, factor: np.ndarray, is_stepped: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        t = np.arange(steps * length).reshape(1, steps, length)
        late = (t >= changed[:, None, None]) | ~is_stepped[:, None, None]
        level = factor[:, None, None] * np.where(
            late, np.where(is_stepped, after, 1.0)[:, None, None], before[:, None, None]
        )
        return level * of.windows, level[:, :, -1:] * of.coefficients

    alone = size == 0
    own, added = stepped(first, gain, changes & alone), stepped(second, size, changes & ~alone)
    return Sequences(own[0] + added[0], own[1] + added[1], first.source, changed)


def _relative_peak(one: Sequences, other: Sequences) -> np.ndarray:
    """Return [n]: what makes the second's peak as large as the first's."""
    peak, divisor = (np.abs(sequences.windows).max((1, 2)) for sequences in (one, other))
    return np.divide(peak, divisor, out=np.zeros_like(peak), where=divisor > 0)


def _anywhere(
    recordings: Sequence[Recording], count: int, steps: int, length: int, rng: np.random.Generator
) -> Sequences:
    which = rng.integers(len(recordings), size=count)
    starts = rng.integers([_starts(recordings[index], steps * length) for index in which])
    return _cut_at([recordings[index] for index in which], starts, steps, length)


def _starts(recording: Recording, samples: int) -> int:
    """Return how many places a sequence of so many samples can start at.

    A periodic record is read on from its start.
    """
    return len(recording.samples) if recording.periodic else len(recording.samples) - samples + 1


def _cut_at(recordings: Sequence[Recording], starts: np.ndarray, steps: int, length: int) -> Sequences:
    x = np.empty((len(recordings), steps * length))
    for row, (recording, start) in enumerate(zip(recordings, starts)):
        x[row] = np.take(recording.samples, np.arange(start, start + steps * length), mode="wrap")
    begins = starts[:, None] + length * np.arange(steps)
    turns = begins[:, :, None] * MEASURED / SAMPLES_PER_CYCLE
    coefficients = np.array([r.coefficients for r in recordings]).reshape(-1, 1, len(MEASURED)) * np.exp(
        2j * np.pi * turns
    )
    return Sequences(
        cut_in_steps(x, length), coefficients, np.array([r.source for r in recordings]), np.zeros(len(starts), int)
    )
