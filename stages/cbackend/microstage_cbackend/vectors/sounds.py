"""Make sounds for the self test of the functions on sound: samples, the reference's features, the answer.

They are synthetic words, silence, a click and full scale, so that no dataset is needed. A sound of which a feature lies
within 1 / 1024 level of the border between two is left out: what float64 and integers make of it may differ.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from microstage.datasets.speech import words
from microstage.interface.cepstra import Cepstra
from microstage_cbackend.program.interpret import run
from microstage_cbackend.program.model import Model

__all__ = ["Sounds", "levels", "sounds"]

_WORDS, _KEPT, _SEED = 48, 6, 20
_NEAR = 1 / 1024


@dataclass
class Sounds:
    """Hold `pcm` int16 [n, samples]; integers `features` [n, values] and, by name, `outputs` [n, values]."""

    pcm: np.ndarray
    features: np.ndarray
    outputs: dict[str, np.ndarray]

    def data(self) -> bytes:
        """Return sound after sound: samples and features of 2 bytes, outputs of 4; little-endian."""
        rows = [
            [
                self.pcm[i].astype("<i2"),
                self.features[i].astype("<i2"),
                *(v[i].astype("<i4") for v in self.outputs.values()),
            ]
            for i in range(len(self.pcm))
        ]
        return b"".join(values.tobytes() for row in rows for values in row)


def sounds(model: Model) -> Sounds | None:
    """Return those of a network whose input is made of sound, None for another."""
    if model.features is None:
        return None
    facts = model.facts_of_ends()[model.features.input]
    pcm = _drawn(model.features.samples)
    real = model.features.of(pcm).astype(np.float64) / facts["scale"]
    clear = np.flatnonzero((np.abs(real - np.floor(real) - 0.5) > _NEAR).all(axis=1))[:_KEPT]
    pcm, features, part = pcm[clear], levels(model.features, pcm[clear], facts), model.parts[0]
    answers = [run(part, {model.features.input: row}) for row in features]
    return Sounds(pcm, features, {name: np.array([a[name].ravel() for a in answers]) for name in part.output_names})


def levels(features: Cepstra, pcm: np.ndarray, facts: dict) -> np.ndarray:
    """Return the reference's integers [n, values]: float32 over the scale, halves to even, held to the range."""
    low, high = facts["range"]
    quotient = features.of(pcm) / np.float32(facts["scale"])
    return np.clip(np.rint(quotient) + (facts.get("zero_point") or 0), low, high).astype(np.int64)


def _drawn(samples: int) -> np.ndarray:
    """Draw int16 [n, samples]: silence, a click, full scale and many words.

    The last three lie over the noise of a converter.
    """
    rng = np.random.Generator(np.random.PCG64(_SEED))
    click, loud = np.zeros(samples), np.where(np.arange(samples) // 40 % 2, -(2.0**15), 2.0**15 - 1)
    click[samples // 2] = 20000
    noisy = np.clip(np.stack([click, loud]) + rng.integers(-2, 3, (2, samples)), -(2**15), 2**15 - 1)
    spoken = [np.resize(clip, samples) for clip in words.recordings(_WORDS, rng)[1]]
    return np.stack([np.zeros(samples), *noisy, *spoken]).astype(np.int16)
