"""Sound as MLPerf Tiny's anomaly detection takes it: five successive frames of 128 mel bands each, in decibels.

Frames of 1,024 samples, one every 512. Decibels are centred and divided, so that nearly all lie within -4 to 4.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import cycle, islice

import numpy as np

from microstage.datasets.machine.sound import FAULTS, RATE, clip

__all__ = ["CENTRE", "INPUTS", "UNIT", "MachineSound", "Recordings", "load", "windows"]

_FRAME, _HOP, _BANDS, _WINDOW = 1024, 512, 128, 5
INPUTS = _WINDOW * _BANDS
CENTRE, UNIT = -24.0, 16.0  # decibels
_QUIETEST = 1e-8


@dataclass(frozen=True)
class Recordings:
    """Windows float32 [n, 640]; the clip [n] that each is of; whether each clip [clips] is of a faulty machine."""

    windows: np.ndarray
    clip: np.ndarray
    faulty: np.ndarray


@dataclass(frozen=True)
class MachineSound:
    """Healthy clips to train and validate on; as many healthy as faulty ones to test on."""

    train: Recordings
    validation: Recordings
    test: Recordings


def load(clips: int, seed: int) -> MachineSound:
    """Return `clips` to train on, a quarter as many to validate on, and twice half as many to test on."""
    rng = np.random.Generator(np.random.PCG64(seed))
    train, validation = (_recorded([""] * count, rng) for count in (clips, max(clips // 4, 4)))
    half = max(clips // 2, 8)
    return MachineSound(train, validation, _recorded([*[""] * half, *islice(cycle(FAULTS), half)], rng))


def _recorded(faults: list[str], rng: np.random.Generator) -> Recordings:
    found = [windows(clip(fault, rng)) for fault in faults]
    belongs = np.repeat(np.arange(len(found)), [len(one) for one in found])
    return Recordings(np.concatenate(found), belongs, np.array([fault != "" for fault in faults]))


def windows(samples: np.ndarray) -> np.ndarray:
    """Return float32 [frames - 4, 640] of samples: window k holds frames k to k + 4, one after the other."""
    starts = range(0, len(samples) - _FRAME + 1, _HOP)
    framed = np.stack([samples[start : start + _FRAME] for start in starts]) * np.hanning(_FRAME + 1)[:-1]
    power = np.abs(np.fft.rfft(framed)) ** 2
    decibels = 10 * np.log10(power @ _mel_bands().T / _FRAME + _QUIETEST)
    scaled = ((decibels - CENTRE) / UNIT).astype(np.float32)
    count = len(scaled) - _WINDOW + 1
    return np.concatenate([scaled[place : place + count] for place in range(_WINDOW)], axis=1)


def _mel_bands() -> np.ndarray:
    """Return [128, 513]: triangles whose corners are evenly spaced in mel; narrow ones are at least two bins wide."""
    highest = 2595 * np.log10(1 + RATE / 2 / 700)
    corners = 700 * (10 ** (np.linspace(0, highest, _BANDS + 2) / 2595) - 1) * _FRAME / RATE
    low, centre, high = (corners[place : place + _BANDS, None] for place in range(3))
    bins = np.arange(_FRAME // 2 + 1)
    rising = (bins - low) / np.maximum(centre - low, 1)
    falling = (high - bins) / np.maximum(high - centre, 1)
    triangles = np.maximum(np.minimum(rising, falling), 0)
    return np.maximum(triangles, np.maximum(1 - np.abs(bins - centre), 0))
