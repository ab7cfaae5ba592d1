"""The dataset as tensors: windows in block floating point, targets relative to each window's gain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from microstage.datasets.loading import load
from microstage.datasets.splits import Dataset, Split
from microstage.models.harmonic.definition import HarmonicDefinition
from microstage.models.training import Examples, Splits
from microstage.signals import WINDOW_SCALE, block_float

__all__ = ["Windows", "prepare"]


@dataclass(frozen=True)
class Windows(Examples):
    """`inputs` [n, 1, N] at scale 2^-7, `targets` [n, 4] over the gain, `gain` [n, 1] in the recording's unit."""

    gain: np.ndarray
    source: Split


def prepare(p: Mapping[str, Any], folder: Path | None, definition: HarmonicDefinition) -> tuple[Splits, str]:
    """Read the dataset that the parameters name; (splits, their unit)."""
    data: Dataset = load(
        p["dataset"],
        folder,
        length=definition.samples,
        count=p["windows"],
        channel=p["channel"],
        frequency=p["frequency"],
        case=p["case"],
        fold=p["fold"],
        synthetic=p["synthetic"],
        seed=p["seed"],
    )
    return Splits(*(_windows(split) for split in (data.train, data.validation, data.test))), data.unit


def _windows(split: Split) -> Windows:
    """Both sides of each pair, scale-free: a network never sees amperes."""
    integers, exponent = block_float(split.windows)
    gain = np.ldexp(1.0, exponent.astype(int))[:, None]
    inputs = torch.from_numpy(integers[:, None].astype(np.float32) * np.float32(WINDOW_SCALE))
    return Windows(inputs, torch.from_numpy((split.truth / gain).astype(np.float32)), gain, split)
