"""The dataset as tensors: sequences of windows in block floating point, targets relative to each window's gain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from microstage.datasets.loading import load
from microstage.datasets.splits import Dataset, Split
from microstage.models.harmonic.definition import HARMONICS, HarmonicDefinition
from microstage.models.training import Examples, Splits
from microstage.signals import EXPONENTS, block_float, half_cycle_dft

__all__ = ["STEPS", "Windows", "prepare"]

STEPS = 16  # of a sequence
_FLOOR = 0.05  # of the mean gain: what a window weighs that holds nothing


@dataclass(frozen=True)
class Windows(Examples):
    """`inputs`: windows [n, L, S] over their gains, and the shifts [n, L] of the gain from step to step. `targets`
    [n, L, 4, 3]: amplitudes over the gain, the error of the half-cycle DFT, and what the step weighs. `gain` [n, L, 1].
    """

    gain: np.ndarray
    waveform: np.ndarray  # [n, L * S]
    source: Split  # the first steps, as many as a window has


def prepare(p: Mapping[str, Any], folder: Path | None, definition: HarmonicDefinition) -> tuple[Splits, str]:
    """Read the dataset that the parameters name; (splits, their unit)."""
    data: Dataset = load(
        p["dataset"],
        folder,
        length=STEPS * definition.samples,
        count=p["windows"] // STEPS,
        channel=p["channel"],
        frequency=p["frequency"],
        case=p["case"],
        fold=p["fold"],
        synthetic=p["synthetic"],
        seed=p["seed"],
    )
    return Splits(*(_windows(split, definition) for split in (data.train, data.validation, data.test))), data.unit


def _windows(split: Split, definition: HarmonicDefinition) -> Windows:
    """Both sides of each pair, scale-free: a network never sees amperes."""
    windows = split.windows.reshape(len(split), -1, definition.samples)
    integers, exponent = block_float(windows, EXPONENTS, definition.window_bits)
    exponent = exponent.astype(int)
    gain = np.ldexp(1.0, exponent)[..., None]
    shift = np.diff(exponent, axis=1, prepend=exponent[:, :1])
    inputs = integers.astype(np.float32) * np.float32(definition.window_scale), shift.astype(np.float32)
    truth = np.repeat(split.truth[:, None], windows.shape[1], axis=1)
    seen = definition.steps * definition.samples
    first = Split(split.windows[:, :seen], split.coefficients, split.source)
    targets = torch.from_numpy(_targets(windows, truth, gain))
    return Windows(tuple(map(torch.from_numpy, inputs)), targets, gain, split.windows, first)


def _targets(windows: np.ndarray, truth: np.ndarray, gain: np.ndarray) -> np.ndarray:
    rival = half_cycle_dft(windows) if windows.shape[2] % 32 == 0 else truth
    weight = np.sqrt(np.maximum(gain / gain.mean(), _FLOOR))
    sides = truth / gain, np.abs(rival - truth) / gain, np.broadcast_to(weight, truth.shape)
    return np.stack(sides, axis=-1).astype(np.float32).reshape(*truth.shape[:2], len(HARMONICS), 3)
