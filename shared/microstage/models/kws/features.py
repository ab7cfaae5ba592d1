"""Mel-frequency cepstra of one second of speech, as the published training computed them (there in float32).

16 kHz; audio divided by its maximum (the largest value, not the largest magnitude); frames of 480 every 320 samples,
periodic Hann, FFT of 512, magnitudes; 40 triangles that are straight over the HTK mel scale from 20 to 4000 Hz and leave out 0 Hz;
ln(x + 1e-6); the first 10 coefficients of sqrt(2/40) times a DCT-II.
"""

from __future__ import annotations

import numpy as np

__all__ = ["COEFFICIENTS", "FRAMES", "RATE", "flat", "mfcc", "normalised"]

RATE = 16000
COEFFICIENTS, FRAMES = 10, 49
_WINDOW, _HOP, _FFT = 480, 320, 512
_BANDS, _LOWEST, _HIGHEST = 40, 20.0, 4000.0
_FLOOR = 1e-6
_CHUNK = 128  # clips at once: their spectra stay in the cache's reach


def normalised(pcm: np.ndarray) -> np.ndarray:
    """Samples [n, 16000] of any scale over their maximum; a clip that has none above zero stays as it is."""
    samples = np.asarray(pcm, np.float64)
    largest = samples.max(axis=1, keepdims=True)
    return samples / np.where(largest > 0, largest, 1.0)


def mfcc(samples: np.ndarray) -> np.ndarray:
    """float32 [n, 49, 10] of samples [n, 16000], normalised already."""
    parts = [_mfcc(samples[start : start + _CHUNK]) for start in range(0, len(samples), _CHUNK)]
    return np.concatenate(parts) if parts else np.zeros((0, FRAMES, COEFFICIENTS), np.float32)


def flat(features: np.ndarray) -> np.ndarray:
    """[n, 49, 10] as the network takes them, [n, 490]: coefficient-major, all frames of coefficient 0 first."""
    return np.ascontiguousarray(np.swapaxes(features, 1, 2)).reshape(len(features), -1)


def _mfcc(samples: np.ndarray) -> np.ndarray:
    frames = samples[:, np.arange(FRAMES)[:, None] * _HOP + np.arange(_WINDOW)] * _HANN
    spectrum = np.abs(np.fft.rfft(frames, _FFT))
    return (np.log(spectrum @ _MEL + _FLOOR) @ _DCT).astype(np.float32)


def _mel(hertz: np.ndarray | float) -> np.ndarray:
    return 1127.0 * np.log1p(np.asarray(hertz) / 700.0)


def _triangles() -> np.ndarray:
    """[257, 40] weights from magnitudes to bands."""
    edges = np.linspace(_mel(_LOWEST), _mel(_HIGHEST), _BANDS + 2)
    low, centre, high = edges[:-2], edges[1:-1], edges[2:]
    bins = _mel(np.linspace(0.0, RATE / 2, _FFT // 2 + 1))[:, None]
    weights = np.maximum(0.0, np.minimum((bins - low) / (centre - low), (high - bins) / (high - centre)))
    weights[0] = 0.0
    return weights


_HANN = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_WINDOW) / _WINDOW)
_MEL = _triangles()
_DCT = np.cos(np.pi / _BANDS * np.outer(np.arange(_BANDS) + 0.5, np.arange(COEFFICIENTS))) * np.sqrt(2 / _BANDS)
