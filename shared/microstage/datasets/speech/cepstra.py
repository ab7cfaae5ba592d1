"""Mel-frequency cepstra of one second of speech, as the published training computed them (there in float32)."""

from __future__ import annotations

import numpy as np

from microstage.datasets.speech.clips import RATE
from microstage.interface.cepstra import Cepstra

__all__ = ["CEPSTRA", "COEFFICIENTS", "FRAMES", "RATE", "flat", "mfcc", "normalised"]

CEPSTRA = Cepstra(
    input="features", rate=RATE, samples=RATE, window=480, hop=320, transform=512,
    bands=40, lowest=20.0, highest=4000.0, floor=1e-6, coefficients=10,
)  # fmt: skip
COEFFICIENTS, FRAMES = CEPSTRA.coefficients, CEPSTRA.frames


def normalised(pcm: np.ndarray) -> np.ndarray:
    """Return samples [n, 16000] of any scale over their maximum; a clip that has none above zero stays as it is."""
    return CEPSTRA.normalised(pcm)


def mfcc(samples: np.ndarray) -> np.ndarray:
    """Return float32 [n, 49, 10] of samples [n, 16000], normalised already."""
    return CEPSTRA.by_frame(samples)


def flat(features: np.ndarray) -> np.ndarray:
    """Return [n, 49, 10] as the network takes them, [n, 490]: coefficient-major, all frames of coefficient 0 first."""
    return CEPSTRA.flat(features)
