"""The dataset as tensors: sequences of windows in block floating point, targets relative to each window's gain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from microstage.datasets.power.loading import Source, Waveforms, waveforms
from microstage.datasets.power.sequences import Sequences
from microstage.models.harmonic.definition import HALF_CYCLE, HarmonicDefinition
from microstage.models.harmonic.wired import Wired, fitted, half_cycle
from microstage.models.training import Examples, Splits
from microstage.signals import EXPONENTS, block_float

__all__ = ["Windows", "prepare"]

_FLOOR = 0.05  # of the mean gain: what a window weighs that holds nothing


@dataclass(frozen=True)
class Windows(Examples):
    """`inputs`: windows [n, L, S] over their gains, and the shifts [n, L] of the gain from step to step. `targets`
    [n, L, 4, 3]: amplitudes over the gain, the error of the wired estimate, and what the step weighs. `gain` [n, L, 1].
    """

    gain: np.ndarray
    source: Sequences


@dataclass(frozen=True)
class Form:
    """How sequences become tensors: windows at so many bits, beside the errors of the wired estimate."""

    definition: HarmonicDefinition
    wired: Wired

    def windows(self, drawn: Sequences) -> Windows:
        """Return both sides of each pair, scale-free: a network never sees amperes."""
        d = self.definition
        integers, exponent = block_float(drawn.windows, EXPONENTS, d.window_bits)
        exponent = exponent.astype(int)
        gain = np.ldexp(1.0, exponent)[..., None]
        shift = np.diff(exponent, axis=1, prepend=exponent[:, :1])
        inputs = integers.astype(np.float32) * np.float32(d.window_scale), shift.astype(np.float32)
        return Windows(tuple(map(torch.from_numpy, inputs)), torch.from_numpy(self._targets(drawn, gain)), gain, drawn)

    def _targets(self, drawn: Sequences, gain: np.ndarray) -> np.ndarray:
        truth = drawn.truth
        rival = np.hypot(*np.split(drawn.windows @ self.wired.kernels.T, 2, axis=-1))
        weight = np.sqrt(np.maximum(gain / gain.mean(), _FLOOR))
        sides = truth / gain, np.abs(rival - truth) / gain, np.broadcast_to(weight, truth.shape)
        return np.stack(sides, axis=-1).astype(np.float32)


@dataclass(frozen=True)
class Drawn(Windows):
    """Training sequences, drawn anew for each epoch from the recordings and the generator."""

    origin: Source
    form: Form
    seed: int

    def drawn(self, phase: str, epoch: int) -> Windows:
        """Return those of one epoch, whatever was drawn before it."""
        return self.form.windows(
            self.origin.draw(len(self), np.random.default_rng([self.seed, epoch, *phase.encode()]))
        )


def prepare(
    p: Mapping[str, Any], folder: Path | None, definition: HarmonicDefinition
) -> tuple[Splits, Waveforms, Wired]:
    """Read the dataset that the parameters name, and fit the wired estimate to it where steps are no half cycles."""
    data = waveforms(
        p["dataset"],
        folder,
        length=definition.samples,
        window=definition.steps,
        channel=p["channel"],
        frequency=p["frequency"],
        case=p["case"],
        fold=p["fold"],
        synthetic=p["synthetic"],
        seed=p["seed"],
    )
    learnt = data.fitted[0]
    halves = definition.samples == HALF_CYCLE
    wired = half_cycle(HALF_CYCLE) if halves else fitted(learnt.windows[:, 0], learnt.coefficients[:, 0])
    form = Form(definition, wired)
    count = max(1, p["windows"] // data.train.steps)
    first = vars(form.windows(data.train.draw(count, np.random.default_rng(p["seed"]))))
    train = Drawn(**first, origin=data.train, form=form, seed=p["seed"])
    return Splits(train, form.windows(data.validation), form.windows(data.test)), data, wired
