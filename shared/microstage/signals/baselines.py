"""Textbook estimators that a network is judged beside; each takes windows [n, N] at 64 samples per cycle."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from microstage.errors import ParameterError
from microstage.signals.harmonics import harmonic_amplitudes
from microstage.signals.windows import SAMPLES_PER_CYCLE

__all__ = ["full_window_dft", "half_cycle_coefficients", "half_cycle_dft", "interpolated_dft", "least_squares_odd"]

_ODD = (1, 3, 5, 7)


def half_cycle_coefficients(x: np.ndarray, harmonics: Sequence[int] = _ODD) -> np.ndarray:
    """Return complex amplitudes [.., 4] at the first sample of windows [.., N].

    They are over as many whole half cycles as fit, by half-wave symmetry x(t + T/2) = -x(t).

    Exact for odd harmonics alone; anything even, or a change within the window, is an error. `ParameterError` for
    windows shorter than half a cycle.
    """
    half = SAMPLES_PER_CYCLE // 2
    length = x.shape[-1] // half * half
    if length == 0:
        raise ParameterError("The half-cycle DFT needs windows of at least half a cycle.")
    angles = 2j * np.pi * np.outer(np.arange(length), harmonics) / SAMPLES_PER_CYCLE
    return x[..., :length] @ np.exp(-angles) * (2.0 / length)


def half_cycle_dft(x: np.ndarray, harmonics: Sequence[int] = _ODD) -> np.ndarray:
    """Return peak amplitudes [.., 4], the sizes of `half_cycle_coefficients`."""
    return np.abs(half_cycle_coefficients(x, harmonics))


def least_squares_odd(x: np.ndarray, harmonics: Sequence[int] = _ODD) -> np.ndarray:
    """Return peak amplitudes [n, 4] of the least-squares fit of cosine and sine of each harmonic to the window."""
    angles = 2 * np.pi * np.outer(np.arange(x.shape[-1]), harmonics) / SAMPLES_PER_CYCLE
    basis = np.concatenate([np.cos(angles), np.sin(angles)], axis=1)
    coefficients = x @ np.linalg.pinv(basis).T
    return np.hypot(coefficients[..., : len(harmonics)], coefficients[..., len(harmonics) :])


def full_window_dft(x: np.ndarray, cycles: int) -> np.ndarray:
    """Return peak amplitudes [.., 4] of a whole record of `cycles` synchronous cycles: the ceiling."""
    return harmonic_amplitudes(x, cycles, _ODD)


def interpolated_dft(x: np.ndarray, harmonics: Sequence[int] = _ODD) -> np.ndarray:
    """Return peak amplitudes [.., 4] of long windows `x` [.., N] whose frequency is not the nominal one.

    They are two cycles long or more.

    The fundamental's frequency from the two largest Hann-windowed DFT bins around the nominal one (Grandke, IEEE Trans.
    Instrum. Meas. 32(2), 1983); then the Hann-windowed sums at its multiples.
    """
    length = x.shape[-1]
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)
    nominal = length / SAMPLES_PER_CYCLE
    near = np.arange(int(np.floor(nominal)) - 1, int(np.ceil(nominal)) + 2)
    level = np.abs(np.fft.rfft(x * window, axis=-1))[..., near]
    pair = np.argmax(level[..., :-1] + level[..., 1:], axis=-1)[..., None]
    low, high = (np.take_along_axis(level, pair + k, axis=-1)[..., 0] for k in (0, 1))
    ratio = np.divide(high, low, out=np.ones_like(high), where=low > 0)
    turns = (near[pair[..., 0]] + (2 * ratio - 1) / (ratio + 1)) / length  # per sample
    phases = 2j * np.pi * turns[..., None, None] * np.multiply.outer(harmonics, np.arange(length))
    return np.abs((np.exp(-phases) * (x * window)[..., None, :]).sum(-1)) * (2.0 / window.sum())
