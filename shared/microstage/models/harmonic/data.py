"""The dataset as tensors: sequences of windows in block floating point, targets relative to each window's gain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from microstage.datasets.loading import Waveforms, waveforms
from microstage.datasets.sequences import Sequences
from microstage.models.harmonic.definition import HARMONICS, HarmonicDefinition
from microstage.models.training import Examples, Splits
from microstage.signals import EXPONENTS, block_float, half_cycle_dft

__all__ = ["Windows", "prepare"]

_FLOOR = 0.05  # of the mean gain: what a window weighs that holds nothing


@dataclass(frozen=True)
class Windows(Examples):
    """`inputs`: windows [n, L, S] over their gains, and the shifts [n, L] of the gain from step to step. `targets`
    [n, L, 4, 3]: amplitudes over the gain, the error of the half-cycle DFT, and what the step weighs. `gain` [n, L, 1].
    """

    gain: np.ndarray
    source: Sequences


def prepare(p: Mapping[str, Any], folder: Path | None, definition: HarmonicDefinition) -> tuple[Splits, Waveforms]:
    """Read the dataset that the parameters name."""
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
    train = data.train.draw(p["windows"] // data.train.steps, np.random.Generator(np.random.PCG64(p["seed"])))
    return Splits(*(_windows(part, definition) for part in (train, data.validation, data.test))), data


def _windows(drawn: Sequences, definition: HarmonicDefinition) -> Windows:
    """Both sides of each pair, scale-free: a network never sees amperes."""
    integers, exponent = block_float(drawn.windows, EXPONENTS, definition.window_bits)
    exponent = exponent.astype(int)
    gain = np.ldexp(1.0, exponent)[..., None]
    shift = np.diff(exponent, axis=1, prepend=exponent[:, :1])
    inputs = integers.astype(np.float32) * np.float32(definition.window_scale), shift.astype(np.float32)
    targets = torch.from_numpy(_targets(drawn.windows, drawn.truth, gain))
    return Windows(tuple(map(torch.from_numpy, inputs)), targets, gain, drawn)


def _targets(windows: np.ndarray, truth: np.ndarray, gain: np.ndarray) -> np.ndarray:
    rival = half_cycle_dft(windows) if windows.shape[2] % 32 == 0 else truth
    weight = np.sqrt(np.maximum(gain / gain.mean(), _FLOOR))
    sides = truth / gain, np.abs(rival - truth) / gain, np.broadcast_to(weight, truth.shape)
    return np.stack(sides, axis=-1).astype(np.float32).reshape(*truth.shape[:2], len(HARMONICS), 3)
