"""Training of the harmonic network: its float twin first, then the quantised network from the twin's weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from microstage.models import training
from microstage.models.harmonic.data import prepare
from microstage.models.harmonic.definition import HARMONICS, HarmonicDefinition
from microstage.models.harmonic.evaluation import evaluate
from microstage.models.harmonic.network import FloatTwin, HarmonicNetwork
from microstage.models.training import Phase
from microstage.signals import EXPONENTS, WINDOW_SCALE

__all__ = ["Training", "extremes"]

_LARGER = 4  # batches of the quantised epochs: straight-through gradients are noisy
_CALIBRATION = 4096  # training windows that show which ranges the LSTM needs
_CLIP = 1.0
# H3, H5 and H7 are a hundredth of the fundamental in most loads; unweighted, they would be learnt last.
_WEIGHTS = torch.tensor([2.0, 3.0, 5.0, 5.0])
# Scales of a batch waver by several percent, and a network that is to measure to a thousandth cannot learn under a
# scale that wavers so: batch norms settle early.
_SETTLED = 0.1
_REPLAYED = 512


class Training(training.Training):
    loss_name = "weighted absolute error"

    def __init__(self, parameters: Mapping[str, Any], data: Path | None) -> None:
        self.parameters = parameters
        self.definition = HarmonicDefinition.from_parameters(dict(parameters))
        self.splits, self.unit = prepare(parameters, data, self.definition)

    def phases(self) -> Iterator[Phase]:
        p = self.parameters
        self.twin, self.network = FloatTwin(self.definition), HarmonicNetwork(self.definition)
        phase = partial(Phase, seed=p["seed"], loss=_loss, clip=_CLIP)
        yield phase("float", self.twin, p["warmup_epochs"], p["batch"], p["learning_rate"], settled=_SETTLED)
        self.network.start_from(self.twin, self.splits.train.inputs[:_CALIBRATION])
        yield phase("quantised", self.network, p["epochs"], _LARGER * p["batch"], p["learning_rate"] * 2 / 3, settled=0.0)

    def evaluate(self) -> dict[str, Any]:
        return evaluate(self.splits, self.unit, network=self.network, twin=self.twin)

    def scales(self) -> dict[str, Any]:
        return {
            "window": {"scale": WINDOW_SCALE, "zero_point": 0, "bits": 8, "gain": "2^exponent", "exponents": list(EXPONENTS)},
            "harmonics": {"order": list(HARMONICS), "relative_to": "2^exponent", "value": "peak amplitude", "unit": self.unit},
        }

    def replayed(self) -> dict[str, np.ndarray]:
        """Test windows spread evenly over the test sources, then the extremes (whose truth is not known: nan)."""
        split = self.splits.test.source
        rows = np.unique(np.linspace(0, len(split) - 1, min(_REPLAYED, len(split))).astype(int))
        hard = extremes(self.definition.samples)
        return {
            "waveform": np.concatenate([split.windows[rows], hard]).astype(np.float32),
            "truth": np.concatenate([split.truth[rows], np.full((len(hard), len(HARMONICS)), np.nan)]),
            "real": np.concatenate([np.ones(len(rows), np.uint8), np.zeros(len(hard), np.uint8)]),
        }


def _loss(predicted: Tensor, wanted: Tensor) -> Tensor:
    return ((predicted - wanted).abs() * _WEIGHTS).mean()


def extremes(length: int) -> np.ndarray:
    """Waveforms [24, length] at the ends of every range: silence, full scale, steps, impulses, the fastest alternation,
    at 1 and at either end of the gain."""
    t = np.arange(length)
    shapes = [np.zeros(length), np.ones(length), np.where(t % 2, -1.0, 1.0), np.where(t < length // 2, -1.0, 1.0),
              np.eye(length)[0], np.eye(length)[-1], np.cos(2 * np.pi * t / 64), np.sign(np.sin(2 * np.pi * (t + 0.5) / 64))]
    return np.concatenate([size * np.array(shapes) for size in (1.0, *np.ldexp((1.0, -1.0), EXPONENTS))])
