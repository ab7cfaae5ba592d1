"""The dataset as tensors: windows in block floating point, targets relative to each window's gain."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from microstage.datasets.loading import load
from microstage.datasets.splits import Dataset, Split
from microstage.models.harmonic.definition import HarmonicDefinition
from microstage.signals import WINDOW_SCALE, block_float
from microstage.stage import Job

__all__ = ["Prepared", "TensorSplit", "prepare", "tensors"]


@dataclass(frozen=True)
class TensorSplit:
    """`windows` [n, 1, N] at scale 2^-7, `targets` [n, 4] over the gain, `gain` [n, 1] in the recording's unit."""

    windows: Tensor
    targets: Tensor
    gain: np.ndarray
    source: Split

    def __len__(self) -> int:
        return len(self.windows)


@dataclass(frozen=True)
class Prepared:
    train: TensorSplit
    validation: TensorSplit
    test: TensorSplit
    unit: str


def prepare(job: Job, definition: HarmonicDefinition) -> Prepared:
    """Read the dataset that the job's parameters name."""
    p = job.parameters
    data: Dataset = load(
        p["dataset"],
        job.inputs.get("data"),
        length=definition.samples,
        count=p["windows"],
        channel=p["channel"],
        frequency=p["frequency"],
        case=p["case"],
        fold=p["fold"],
        synthetic=p["synthetic"],
        seed=p["seed"],
    )
    return Prepared(*(tensors(split) for split in (data.train, data.validation, data.test)), data.unit)


def tensors(split: Split) -> TensorSplit:
    """Both sides of each pair, scale-free: a network never sees amperes."""
    integers, exponent = block_float(split.windows)
    gain = np.ldexp(1.0, exponent.astype(int))[:, None]
    windows = torch.from_numpy(integers[:, None].astype(np.float32) * np.float32(WINDOW_SCALE))
    return TensorSplit(windows, torch.from_numpy((split.truth / gain).astype(np.float32)), gain, split)
