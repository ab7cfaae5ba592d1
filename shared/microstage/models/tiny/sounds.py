"""Sounds: words to be told apart, and a machine whose healthy sound is to be said again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from microstage.datasets.machine import frames
from microstage.datasets.speech.cepstra import mfcc, normalised
from microstage.datasets.speech.clips import CLASSES, Clips
from microstage.datasets.speech.reading import read
from microstage.models.floats.tasks import AnomalyDetection, Classification
from microstage.models.training import Examples, Splits

__all__ = ["CEPSTRUM_UNITS", "machine", "words"]

CEPSTRUM_UNITS = (32, 4, 4, 2, 2, 2, 2, 1, 1, 1)  # what each coefficient is divided by: about one and a half deviations
_SHIFT = 5  # frames, a tenth of a second


def words(p: Mapping[str, Any], data: Path | None) -> Classification:
    """Return the speech that the parameters name, as cepstra [n, 1, 49, 10]; it is moved in time while it is learnt."""
    speech = read(p, data)
    train, validation, test = (_cepstra(part) for part in (speech.train, speech.validation, speech.test))
    splits = Splits(MovedFrames(train.inputs, train.targets), validation, test)
    return Classification(splits, speech.origin, CLASSES)


def _cepstra(heard: Clips) -> Examples:
    by_frame = mfcc(normalised(heard.pcm)) if heard.mfcc is None else heard.mfcc
    scaled = by_frame[:, None] / np.array(CEPSTRUM_UNITS, np.float32)
    return Examples(torch.from_numpy(scaled), torch.from_numpy(heard.label.astype(np.int64)))


@dataclass(frozen=True)
class MovedFrames(Examples):
    """Each drawn clip [1, frames, coefficients] begins up to a tenth of a second earlier or later; what is pushed out
    at one end repeats the frame at the other.
    """

    inputs: Tensor

    def batch(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        inputs = self.inputs[rows]
        moved = torch.arange(inputs.shape[2]) + torch.randint(-_SHIFT, _SHIFT + 1, (len(rows), 1))
        heard = inputs[torch.arange(len(rows))[:, None], 0, moved.clamp(0, inputs.shape[2] - 1)]
        return heard[:, None], self.targets[rows]


def machine(p: Mapping[str, Any], data: Path | None) -> AnomalyDetection:
    """Return windows of a machine's sound [n, 640], each its own target."""
    heard = frames.load(p["clips"], p["seed"])
    parts = (torch.from_numpy(part.windows) for part in (heard.train, heard.validation, heard.test))
    origin = f"a synthetic machine (built in; nothing was recorded): {len(heard.test.faulty)} clips, half with a fault"
    splits = Splits(*(Examples(windows, windows) for windows in parts))
    return AnomalyDetection(splits, origin, clip=heard.test.clip, faulty=heard.test.faulty)
