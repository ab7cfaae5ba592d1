"""`waveforms`: one dataset by name, split by source, as sequences of windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from microstage.datasets.locations import files, required
from microstage.datasets.power import ev_cpw, sequences
from microstage.datasets.power.generator import synthesise
from microstage.datasets.power.sequences import Sequences
from microstage.datasets.power.splits import Recording, assign
from microstage.datasets.recordings import records
from microstage.errors import DatasetError

__all__ = ["STEPS", "Source", "Waveforms", "waveforms"]

STEPS = 16  # windows in a sequence: EV-CPW's eight cycles, half a cycle each

_TEST_HOP = 8  # samples between test windows of one recording
_FITTED_HOP = 3  # samples between the windows that rivals learn from
_DRAWN_TEST, _DRAWN_VALIDATION = 1024, 512  # sequences


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
        """Return `count` new sequences; the same state of `rng` draws the same."""
        recorded = round(count * (1 - self.synthetic))
        parts = []
        if recorded:
            parts.append(sequences.draw(self.recordings, recorded, self.steps, self.length, rng))
        if count > recorded:
            parts.append(
                synthesise(self.case, count - recorded, self.steps, self.length, rng, self.channel, self.frequency)
            )
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
    """Return sequences of 16 steps of `length` samples, the first `window` of which are the network's window.

    Of what is drawn from a recorded dataset a share `synthetic` (0..1) is the generator's. Test sequences start at
    every eighth sample of every test recording. Records that are shorter than 16 steps give as many as they hold.
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
        raise DatasetError(
            f"{short.name} holds {len(short.samples)} samples at 64 a cycle; the window needs {window * length}."
        )
    chosen = {part: [r for r in recordings if parts[r.source] == part] for part in ("train", "validation", "test")}
    train, validation = (
        Source(chosen[part], synthetic, steps, length, case, channel, frequency) for part in ("train", "validation")
    )
    test = sequences.cut(chosen["test"], steps, length, _TEST_HOP)
    learnt, chosen_by = (
        sequences.cut(chosen[part], 1, window * length, _FITTED_HOP) for part in ("train", "validation")
    )
    validated = validation.draw(_DRAWN_VALIDATION, rng)
    return Waveforms(train, validated, test, sequences.with_steps(test, rng), (learnt, chosen_by), unit)


def _generated(source: Source, window: int, unit: str, rng: np.random.Generator) -> Waveforms:
    """Return waveforms of the generator alone; a case without changes has them made."""
    test = source.draw(_DRAWN_TEST, rng)
    calm = test.changed == 0
    stepped = sequences.with_steps(test, rng) if calm.all() else test[~calm]
    whole = Source((), 1.0, 1, window * source.length, source.case, source.channel, source.frequency)
    fitted = (whole.draw(4 * _DRAWN_TEST, rng), whole.draw(_DRAWN_VALIDATION, rng))
    return Waveforms(source, source.draw(_DRAWN_VALIDATION, rng), test[calm], stepped, fitted, unit)


def _recordings(name: str, data_dir: Path | None, channel: str, frequency: int) -> list[Recording]:
    folder = required(name, data_dir)
    if name == "ev-cpw":
        if frequency != 60:
            raise DatasetError(f"ev-cpw was recorded at 60 Hz, not at FREQUENCY={frequency}.")
        return [ev_cpw.read(path, channel) for path in files(name, folder)]
    return [block for path in records.records(folder) for block in records.read(path, folder, channel, frequency)]
