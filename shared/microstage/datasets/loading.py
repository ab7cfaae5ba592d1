"""`load`: one dataset by name, split by source, cut into windows."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from microstage.datasets import ev_cpw, generator
from microstage.datasets.locations import files
from microstage.datasets.splits import GENERATED, SUPERPOSED, Dataset, Recording, Split, assign
from microstage.errors import DatasetError, ParameterError
from microstage.signals import SAMPLES_PER_CYCLE, windows

__all__ = ["load"]

_TEST_HOP = 8  # samples between test windows of one recording
_SYNTHETIC_TEST = 2048
_SUPERPOSED = 0.5  # share of training windows
_ORDERS = np.array((1, 3, 5, 7))


def load(
    name: str,
    data_dir: Path | None,
    *,
    length: int,
    count: int,
    channel: str = "current",
    frequency: int = 60,
    case: str = "mix",
    fold: int = 0,
    synthetic: float = 0.5,
    seed: int = 0,
) -> Dataset:
    """Windows of `length` samples: `count` to train on, and the whole of the validation and test sources.

    Of the training windows of a recorded dataset a share `synthetic` comes from the generator's mix (0..1); the rest
    is drawn from the training recordings at random places, at random gains within a factor of two, and either sign. To
    half of all a second window is added, as currents of two loads add up: nine vehicles then look like many.
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    unit = "A" if channel == "current" else "V"
    if name == "generator":
        parts = [Split(*synthesise(case, size, length, rng), np.full(size, case)) for size in _sizes(count)]
        return Dataset(*parts, unit)
    recordings = _recordings(name, data_dir, channel, frequency)
    parts = assign([r.source for r in recordings], fold)
    short = next((r for r in recordings if not r.periodic and len(r.samples) < length), None)
    if short is not None:
        raise DatasetError(f"{short.name} holds {len(short.samples)} samples at 64 a cycle; the window needs {length}.")
    chosen = {part: [r for r in recordings if parts[r.source] == part] for part in ("train", "validation", "test")}
    drawn = round(count * (1 - synthetic))
    made = Split(*synthesise("mix", count - drawn, length, rng), np.full(count - drawn, GENERATED))
    train = _join([_draw(chosen["train"], drawn, length, rng), made])
    return Dataset(_superposed(train, rng), _cut(chosen["validation"], length), _cut(chosen["test"], length), unit)


synthesise = generator.synthesise


def _sizes(count: int) -> tuple[int, int, int]:
    return count, _SYNTHETIC_TEST, _SYNTHETIC_TEST


def _recordings(name: str, data_dir: Path | None, channel: str, frequency: int) -> list[Recording]:
    if data_dir is None:
        raise ParameterError(f"DATASET={name} needs DATA_DIR.")
    if name == "ev-cpw":
        if frequency != 60:
            raise DatasetError(f"ev-cpw was recorded at 60 Hz, not at FREQUENCY={frequency}.")
        return [ev_cpw.read(path, channel) for path in files(name, data_dir)]
    from microstage.datasets import recordings

    return [block for path in recordings.records(data_dir) for block in recordings.read(path, data_dir, channel, frequency)]


def _cut(recordings: list[Recording], length: int) -> Split:
    """Every window of every recording, `_TEST_HOP` samples apart."""
    cut = [windows(r.samples, length, _TEST_HOP, r.periodic) for r in recordings]
    coefficients = [_turned(np.repeat(r.coefficients[None], len(w), 0), _TEST_HOP * np.arange(len(w))) for r, w in zip(recordings, cut)]
    source = [np.full(len(w), r.source) for r, w in zip(recordings, cut)]
    return Split(np.concatenate(cut), np.concatenate(coefficients), np.concatenate(source))


def _draw(recordings: list[Recording], count: int, length: int, rng: np.random.Generator) -> Split:
    which = rng.integers(len(recordings), size=count)
    gain = 2.0 ** rng.uniform(-1, 1, (count, 1))
    sign = rng.choice((-1.0, 1.0), (count, 1))
    cut, start = np.empty((count, length)), np.empty(count, int)
    for row, index in enumerate(which):
        samples = recordings[index].samples
        last = len(samples) if recordings[index].periodic else len(samples) - length + 1
        start[row] = rng.integers(last)
        cut[row] = samples[np.arange(start[row], start[row] + length) % len(samples)]
    coefficients = np.array([recordings[index].coefficients for index in which]).reshape(count, len(_ORDERS))
    source = np.array([recordings[index].source for index in which])
    return Split(cut * gain * sign, _turned(coefficients, start) * gain * sign, source)


def _superposed(split: Split, rng: np.random.Generator) -> Split:
    """Add to a share of the windows another one, its peak 1/30 to 1 of theirs; coefficients add like windows."""
    other, chosen = rng.permutation(len(split)), rng.random(len(split)) < _SUPERPOSED
    peak = np.abs(split.windows).max(1)
    size = 10 ** rng.uniform(-1.5, 0, len(split)) * rng.choice((-1.0, 1.0), len(split)) * chosen
    factor = (size * np.divide(peak, peak[other], out=np.zeros_like(peak), where=peak[other] > 0))[:, None]
    source = np.where(chosen, SUPERPOSED, split.source)
    return Split(split.windows + factor * split.windows[other], split.coefficients + factor * split.coefficients[other], source)


def _turned(coefficients: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Coefficients [n, 4] at a record's first sample, as they are at sample `start` [n]."""
    return coefficients * np.exp(2j * np.pi * np.outer(start, _ORDERS) / SAMPLES_PER_CYCLE)


def _join(parts: list[Split]) -> Split:
    return Split(*(np.concatenate([getattr(p, f) for p in parts if len(p)]) for f in ("windows", "coefficients", "source")))
