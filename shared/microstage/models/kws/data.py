"""Speech as tensors: features of each clip, and of training clips anew in every epoch, under background noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from microstage.datasets.speech.cepstra import flat, mfcc, normalised
from microstage.datasets.speech.clips import RATE, Clips
from microstage.models.kws.clips import features
from microstage.models.training import Examples

__all__ = ["ClipExamples", "NoisyClips", "clip_examples"]

_FULL_SCALE = 2.0**15


@dataclass(frozen=True)
class ClipExamples(Examples):
    """`inputs` float32 [n, 490], `targets` int64 [n]."""

    inputs: Tensor
    clips: Clips


@dataclass(frozen=True)
class NoisyClips(ClipExamples):
    """Training clips: `frequency` of those drawn get background noise at a volume uniform from 0 to `volume`."""

    noise: list[np.ndarray]
    frequency: float
    volume: float

    def batch(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        inputs, pcm = self.inputs[rows], self.clips.pcm
        noisy = torch.rand(len(rows)) < self.frequency
        if self.noise and pcm is not None and noisy.any():
            inputs[noisy] = self._under_noise(normalised(pcm[rows[noisy].numpy()]))
        return inputs, self.targets[rows]

    def _under_noise(self, samples: np.ndarray) -> Tensor:
        """Return the features of clips `samples` [n, 16000], after one second of one of the noises is added to each.

        Each sum is held within full scale. `samples` hold the sums afterwards.
        """
        which, start, volume = torch.rand(3, len(samples)).double().numpy()
        for row, k in enumerate((which * len(self.noise)).astype(int)):
            begin = int(start[row] * (len(self.noise[k]) - RATE + 1))
            samples[row] += self.noise[k][begin : begin + RATE] * (volume[row] * self.volume / _FULL_SCALE)
        return torch.from_numpy(flat(mfcc(np.clip(samples, -1.0, 1.0))))


def clip_examples(clips: Clips) -> ClipExamples:
    """Return clips as they are, without noise."""
    return ClipExamples(torch.from_numpy(features(clips)), torch.from_numpy(clips.label.astype(np.int64)), clips)
