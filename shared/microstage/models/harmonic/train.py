"""Training of the harmonic network on sequences: its float twin first, then the quantised network from its weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from microstage.datasets.power.sequences import Sequences, joined
from microstage.models import training
from microstage.models.harmonic.answers import Methods
from microstage.models.harmonic.data import prepare
from microstage.models.harmonic.definition import HARMONICS, HarmonicDefinition
from microstage.models.harmonic.evaluation import evaluate
from microstage.models.harmonic.losses import regret
from microstage.models.harmonic.network import FloatTwin, HarmonicNetwork
from microstage.models.harmonic.steps import Stepped
from microstage.models.network import Network
from microstage.models.training import Phase, each
from microstage.signals import EXPONENTS

__all__ = ["OverSteps", "Training", "extremes"]

_CALIBRATION = 256  # training sequences that show which ranges the LSTM needs
_CLIP = 5.0
_QUANTISED = 0.05  # of the rate: what the twin has found survives its quantisers, which have only to settle
_REPLAYED = 32


class OverSteps(Network):
    """A network's amplitudes at every step of sequences; in training, also those of each window as a first step."""

    def __init__(self, network: Stepped) -> None:
        super().__init__()
        self.network = network

    def forward(self, window: Tensor, shift: Tensor) -> Tensor:
        """Return amplitudes [n, L or 2 L, 4] over each step's gain, of window [n, L, S] and shift [n, L]."""
        return self.network.taught(window, shift) if self.training else self.network.sequence(window, shift).amplitudes


class Training(training.Training):
    loss_name = "regret against the half-cycle DFT"

    def __init__(self, parameters: Mapping[str, Any], data: Path | None) -> None:
        self.parameters = parameters
        self.definition = HarmonicDefinition.from_parameters(dict(parameters))
        self.splits, self.waveforms, self.wired = prepare(parameters, data, self.definition)

    def phases(self) -> Iterator[Phase]:
        p = self.parameters
        self.twin, self.network = FloatTwin(self.definition, self.wired), HarmonicNetwork(self.definition)
        phase = partial(Phase, batch=p["batch"], seed=p["seed"], loss=regret, clip=_CLIP)
        yield phase("float", OverSteps(self.twin), p["warmup_epochs"], rate=p["learning_rate"])
        self.network.start_from(self.twin, *(values[:_CALIBRATION] for values in each(self.splits.train.inputs)))
        yield phase("quantised", OverSteps(self.network), p["epochs"], rate=_QUANTISED * p["learning_rate"])

    def evaluate(self) -> dict[str, Any]:
        d = self.definition
        methods = Methods(self.network, self.twin, d.window_bits, d.steps, self.waveforms.fitted)
        return evaluate(self.waveforms, methods, self.parameters["channel"], self.parameters["frequency"])

    def scales(self) -> dict[str, Any]:
        d = self.definition
        return {
            "window": {
                "scale": d.window_scale,
                "zero_point": 0,
                "bits": d.window_bits,
                "gain": "2^exponent",
                "exponents": list(EXPONENTS),
            },
            "harmonics": {
                "order": list(HARMONICS),
                "relative_to": "2^exponent",
                "value": "peak amplitude",
                "unit": self.waveforms.unit,
            },
        }

    def replayed(self) -> dict[str, np.ndarray]:
        """Return test sequences [n, L * S], steady and with a change, spread evenly over the test sources.

        Behind them are the extremes, whose truth is not known: nan.
        """
        chosen = joined([_spread(part, _REPLAYED // 2) for part in (self.waveforms.test, self.waveforms.stepped)])
        rows, truth = len(chosen), chosen.truth
        hard = extremes(self.definition.samples, truth.shape[1])
        return {
            "waveform": np.concatenate([chosen.windows.reshape(rows, -1), hard]).astype(np.float32),
            "truth": np.concatenate([truth, np.full((len(hard), *truth.shape[1:]), np.nan)]),
            "real": np.concatenate([np.ones(rows, np.uint8), np.zeros(len(hard), np.uint8)]),
        }


def _spread(sequences: Sequences, count: int) -> Sequences:
    return sequences[np.unique(np.linspace(0, len(sequences) - 1, min(count, len(sequences))).astype(int))]


def extremes(samples: int, steps: int) -> np.ndarray:
    """Return waveforms [25, steps * samples] at the ends of every range.

    Silence, full scale, steps, impulses, the fastest alternation, at 1 and at either end of the gain; and one that goes
    from end to end of the gain at each step.
    """
    length = samples * steps
    t = np.arange(length)
    shapes = [
        np.zeros(length),
        np.ones(length),
        np.where(t % 2, -1.0, 1.0),
        np.where(t < length // 2, -1.0, 1.0),
        np.eye(length)[0],
        np.eye(length)[-1],
        np.cos(2 * np.pi * t / 64),
        np.sign(np.sin(2 * np.pi * (t + 0.5) / 64)),
    ]
    sizes = [size * np.array(shapes) for size in (1.0, *np.ldexp((1.0, -1.0), EXPONENTS))]
    jumps = np.cos(2 * np.pi * t / 64) * np.ldexp(
        1.0, np.resize([EXPONENTS[0], EXPONENTS[1] - 1], steps).repeat(samples)
    )
    return np.concatenate([*sizes, jumps[None]])
