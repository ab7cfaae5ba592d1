"""`waveforms`: one dataset by name, split by source, as sequences of windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from microstage.datasets import ev_cpw, sequences
from microstage.datasets.generator import synthesise
from microstage.datasets.locations import files
from microstage.datasets.sequences import Sequences
from microstage.datasets.splits import GENERATED, SUPERPOSED, Dataset, Recording, Split, assign
from microstage.errors import DatasetError, ParameterError
from microstage.signals import SAMPLES_PER_CYCLE, windows

__all__ = ["STEPS", "Source", "Waveforms", "load", "waveforms"]

STEPS = 16  # windows in a sequence: EV-CPW's eight cycles, half a cycle each

_TEST_HOP = 8  # samples between test windows of one recording
_SYNTHETIC_TEST = 2048
_DRAWN_TEST, _DRAWN_VALIDATION = 1024, 512  # sequences
_FITTED_HOP = 4
_SUPERPOSED = 0.5  # share of training windows
_ORDERS = np.array((1, 3, 5, 7))


@dataclass(frozen=True)
class Source:
    """What training sequences are drawn from: recordings (none for the generator alone), and the generator's share."""

    recordings: Sequence[Recording]
    synthetic: float
    steps: int
    length: int
    case: str
    channel: str
    frequency: int

    def draw(self, count: int, rng: np.random.Generator) -> Sequences:
        """`count` new sequences; the same state of `rng` draws the same."""
        recorded = round(count * (1 - self.synthetic))
        parts = []
        if recorded:
            parts.append(sequences.draw(self.recordings, recorded, self.steps, self.length, rng))
        if count > recorded:
            parts.append(synthesise(self.case, count - recorded, self.steps, self.length, rng, self.channel, self.frequency))
        return sequences.joined(parts)


@dataclass(frozen=True)
class Waveforms:
    """Training, validation and test, which share no source; `unit` is A or V.

    `validation` is drawn as training is, once. `test` holds steady sequences alone, `stepped` the same with a change in
    each. `fitted` are whole windows [n, 1, window * length] of the training and of the validation recordings, for
    rivals that learn: nothing is changed in them.
    """

    train: Source
    validation: Sequences
    test: Sequences
    stepped: Sequences
    fitted: tuple[Sequences, Sequences]
    unit: str


def waveforms(
    name: str,
    data_dir: Path | None,
    *,
    length: int,
    window: int = 1,
    channel: str = "current",
    frequency: int = 60,
    case: str = "mix",
    fold: int = 0,
    synthetic: float = 0.5,
    seed: int = 0,
) -> Waveforms:
    """Sequences of 16 steps of `length` samples, the first `window` of which are the network's window.

    Of what is drawn from a recorded dataset a share `synthetic` (0..1) is the generator's. Test sequences start at every
    eighth sample of every test recording. Records of one's own that are shorter than 16 steps give as many as they hold.
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    unit = "A" if channel == "current" else "V"
    if name == "generator":
        return _generated(Source((), 1.0, STEPS, length, case, channel, frequency), window, unit, rng)
    recordings = _recordings(name, data_dir, channel, frequency)
    parts = assign([r.source for r in recordings], fold)
    steps = min([STEPS, *(len(r.samples) // length for r in recordings if not r.periodic)])
    if steps < window:
        short = min((r for r in recordings if not r.periodic), key=lambda r: len(r.samples))
        raise DatasetError(f"{short.name} holds {len(short.samples)} samples at 64 a cycle; the window needs {window * length}.")
    chosen = {part: [r for r in recordings if parts[r.source] == part] for part in ("train", "validation", "test")}
    train, validation = (Source(chosen[part], synthetic, steps, length, case, channel, frequency) for part in ("train", "validation"))
    test = sequences.cut(chosen["test"], steps, length, _TEST_HOP)
    fitted = tuple(sequences.cut(chosen[part], 1, window * length, _FITTED_HOP) for part in ("train", "validation"))
    return Waveforms(train, validation.draw(_DRAWN_VALIDATION, rng), test, sequences.with_steps(test, rng), fitted, unit)


def _generated(source: Source, window: int, unit: str, rng: np.random.Generator) -> Waveforms:
    """Of the generator alone; a case without changes has them made."""
    test = source.draw(_DRAWN_TEST, rng)
    calm = test.changed == 0
    stepped = sequences.with_steps(test, rng) if calm.all() else test[~calm]
    whole = Source((), 1.0, 1, window * source.length, source.case, source.channel, source.frequency)
    fitted = (whole.draw(4 * _DRAWN_TEST, rng), whole.draw(_DRAWN_VALIDATION, rng))
    return Waveforms(source, source.draw(_DRAWN_VALIDATION, rng), test[calm], stepped, fitted, unit)


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
        parts = [_synthesised(case, size, length, rng) for size in _sizes(count)]
        return Dataset(*parts, unit)
    recordings = _recordings(name, data_dir, channel, frequency)
    parts = assign([r.source for r in recordings], fold)
    short = next((r for r in recordings if not r.periodic and len(r.samples) < length), None)
    if short is not None:
        raise DatasetError(f"{short.name} holds {len(short.samples)} samples at 64 a cycle; the window needs {length}.")
    chosen = {part: [r for r in recordings if parts[r.source] == part] for part in ("train", "validation", "test")}
    drawn = round(count * (1 - synthetic))
    made = _synthesised("mix", count - drawn, length, rng)
    train = _join([_draw(chosen["train"], drawn, length, rng), made])
    return Dataset(_superposed(train, rng), _cut(chosen["validation"], length), _cut(chosen["test"], length), unit)


def _synthesised(case: str, count: int, length: int, rng: np.random.Generator) -> Split:
    drawn = synthesise(case, count, 1, length, rng)
    return Split(drawn.windows[:, 0], drawn.coefficients[:, 0], np.full(count, GENERATED if case == "mix" else case))


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
