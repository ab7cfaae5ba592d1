"""Mel-frequency cepstra of a window of sound: what they are, as `features` of `interface.json` says, and the reference.

    "features": {"input": "features", "rate": 16000, "samples": 16000, "window": 480, "hop": 320, "transform": 512,
                 "bands": 40, "lowest": 20.0, "highest": 4000.0, "floor": 1e-06, "coefficients": 10}

Samples are divided by their maximum (the largest value, not the largest magnitude); frames of `window` every `hop`
samples, periodic Hann, a transform of `transform`, magnitudes; `bands` triangles that are straight over the HTK mel
scale from `lowest` to `highest` Hz and leave out 0 Hz; ln(x + floor); the first `coefficients` of sqrt(2 / bands) times
a DCT-II. The network takes them coefficient-major: all frames of coefficient 0 first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np

from microstage.interface.fields import interface_error, read_fields

__all__ = ["Cepstra"]

_CHUNK = 128  # windows at once: their spectra stay in the cache's reach


@dataclass(frozen=True)
class Cepstra:
    """How the integers of `input` are made of `samples` at `rate` Hz.

    `window`, `hop` and `transform` are in samples, `lowest` and `highest` in Hz, `floor` is a share of the largest
    sample.
    """

    input: str
    rate: int
    samples: int
    window: int
    hop: int
    transform: int
    bands: int
    lowest: float
    highest: float
    floor: float
    coefficients: int

    @classmethod
    def read(cls, interface: Mapping[str, Any]) -> Cepstra | None:
        """Return what an `interface.json` says, None where it says nothing.

        `ArtefactError` for fields that are none, or that do not fit its parts.
        """
        found = read_fields(cls, "features", interface)
        if found is None:
            return None
        if not 2 <= found.hop <= found.window <= min(found.transform, found.samples) <= 1 << 16 or found.window % 2:
            raise interface_error(
                "features", "need an even window of at least a hop of 2, in a transform and a second that hold it"
            )
        if found.transform & (found.transform - 1) or not 0 <= found.lowest < found.highest <= found.rate / 2:
            raise interface_error("features", "need a transform of 2^n, and bands between 0 Hz and half the rate")
        if not 1 <= found.coefficients <= found.bands <= 255 or not 1e-9 <= found.floor <= 1e-3:
            raise interface_error(
                "features", "need 1 to 255 bands, at most as many coefficients, and a floor from 1e-9 to 1e-3"
            )
        if "parts" in interface:
            found._check({n: t for part in interface["parts"].values() for n, t in part.get("inputs", {}).items()})
        return found

    def _check(self, inputs: Mapping[str, Mapping[str, Any]]) -> None:
        if self.input not in inputs:
            raise interface_error(
                "features", f"are of {self.input}, which is none of the inputs: {', '.join(inputs) or 'none'}"
            )
        shape = inputs[self.input].get("shape")
        if shape is not None and int(np.prod(shape)) != self.frames * self.coefficients:
            size = f"{self.frames} frames of {self.coefficients}"
            raise interface_error("features", f"have {size}, but {self.input} is {list(shape)}")

    @property
    def frames(self) -> int:
        """Whole ones in the samples."""
        return (self.samples - self.window) // self.hop + 1

    def described(self) -> dict[str, Any]:
        """Return it as `interface.json` has it."""
        return asdict(self)

    def of(self, pcm: np.ndarray) -> np.ndarray:
        """Return float32 [n, coefficients * frames], as the network takes them, of samples [n, samples].

        The samples may have any scale.
        """
        return self.flat(self.by_frame(self.normalised(pcm)))

    @staticmethod
    def normalised(pcm: np.ndarray) -> np.ndarray:
        """Return samples over their maximum; a window that has none above zero stays as it is."""
        samples = np.asarray(pcm, np.float64)
        largest = samples.max(axis=1, keepdims=True)
        return samples / np.where(largest > 0, largest, 1.0)

    def by_frame(self, samples: np.ndarray) -> np.ndarray:
        """Return float32 [n, frames, coefficients] of samples that are normalised already."""
        parts = [self._some(samples[start : start + _CHUNK]) for start in range(0, len(samples), _CHUNK)]
        return np.concatenate(parts) if parts else np.zeros((0, self.frames, self.coefficients), np.float32)

    @staticmethod
    def flat(features: np.ndarray) -> np.ndarray:
        """Return [n, frames, coefficients] coefficient-major, [n, coefficients * frames]."""
        return np.ascontiguousarray(np.swapaxes(features, 1, 2)).reshape(len(features), -1)

    def _some(self, samples: np.ndarray) -> np.ndarray:
        frames = samples[:, np.arange(self.frames)[:, None] * self.hop + np.arange(self.window)] * self.hann
        spectrum = np.abs(np.fft.rfft(frames, self.transform))
        return (np.log(spectrum @ self.triangles + self.floor) @ self.cosines).astype(np.float32)

    @cached_property
    def hann(self) -> np.ndarray:
        """[window]."""
        return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(self.window) / self.window)

    @cached_property
    def edges(self) -> np.ndarray:
        """[bands + 2] mel: where triangles begin, peak and end."""
        return np.linspace(_mel(self.lowest), _mel(self.highest), self.bands + 2)

    @cached_property
    def bins(self) -> np.ndarray:
        """[transform / 2 + 1] mel, of the bins of the transform."""
        return _mel(np.linspace(0.0, self.rate / 2, self.transform // 2 + 1))

    @cached_property
    def triangles(self) -> np.ndarray:
        """[transform / 2 + 1, bands] weights from magnitudes to bands."""
        low, centre, high, bins = self.edges[:-2], self.edges[1:-1], self.edges[2:], self.bins[:, None]
        weights = np.maximum(0.0, np.minimum((bins - low) / (centre - low), (high - bins) / (high - centre)))
        weights[0] = 0.0
        return weights

    @cached_property
    def cosines(self) -> np.ndarray:
        """[bands, coefficients] of the DCT."""
        angles = np.outer(np.arange(self.bands) + 0.5, np.arange(self.coefficients))
        return np.cos(np.pi / self.bands * angles) * np.sqrt(2 / self.bands)


def _mel(hertz: np.ndarray | float) -> np.ndarray:
    return 1127.0 * np.log1p(np.asarray(hertz) / 700.0)
