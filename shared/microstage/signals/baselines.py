"""Textbook estimators that a network is judged beside; each takes windows [n, N] at 64 samples per cycle."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from microstage.errors import ParameterError
from microstage.signals.harmonics import harmonic_amplitudes
from microstage.signals.windows import SAMPLES_PER_CYCLE

__all__ = ["full_window_dft", "half_cycle_dft", "least_squares_odd", "nearest_neighbour", "ridge"]

_ODD = (1, 3, 5, 7)
_STRENGTHS = 10.0 ** np.arange(-8, 3)
_ROWS = 64


def half_cycle_dft(x: np.ndarray, harmonics: Sequence[int] = _ODD) -> np.ndarray:
    """Peak amplitudes [n, 4] over as many whole half cycles as fit, by half-wave symmetry x(t + T/2) = -x(t).

    Exact for odd harmonics alone; anything even, or a change within the window, is an error. `ParameterError` for
    windows shorter than half a cycle.
    """
    half = SAMPLES_PER_CYCLE // 2
    length = x.shape[-1] // half * half
    if length == 0:
        raise ParameterError("The half-cycle DFT needs windows of at least half a cycle.")
    angles = 2j * np.pi * np.outer(np.arange(length), harmonics) / SAMPLES_PER_CYCLE
    return np.abs(x[..., :length] @ np.exp(-angles)) * (2.0 / length)


def least_squares_odd(x: np.ndarray, harmonics: Sequence[int] = _ODD) -> np.ndarray:
    """Peak amplitudes [n, 4] of the least-squares fit of cosine and sine of each harmonic to the window."""
    angles = 2 * np.pi * np.outer(np.arange(x.shape[-1]), harmonics) / SAMPLES_PER_CYCLE
    basis = np.concatenate([np.cos(angles), np.sin(angles)], axis=1)
    coefficients = x @ np.linalg.pinv(basis).T
    return np.hypot(coefficients[..., : len(harmonics)], coefficients[..., len(harmonics) :])


def full_window_dft(x: np.ndarray, cycles: int) -> np.ndarray:
    """Peak amplitudes [.., 4] of a whole record of `cycles` synchronous cycles: the ceiling."""
    return harmonic_amplitudes(x, cycles, _ODD)


def ridge(
    train: tuple[np.ndarray, np.ndarray], held_out: tuple[np.ndarray, np.ndarray], x: np.ndarray
) -> np.ndarray:
    """Amplitudes [n, 4] by ridge regression from windows to complex Fourier coefficients.

    `train` and `held_out` are (windows [m, N], coefficients [m, 4]). Each window is divided by its own peak, and its answer
    multiplied by it; the strength is the one with the least error on `held_out`, before it ever sees `x` [n, N].
    """
    windows, scale = _normalised(train[0])
    wanted = train[1] / scale
    wanted = np.concatenate([wanted.real, wanted.imag], axis=1)
    square, product = windows.T @ windows, windows.T @ wanted

    def answer(strength: float, y: np.ndarray) -> np.ndarray:
        weights = np.linalg.solve(square + strength * len(windows) * np.eye(len(square)), product)
        y, size = _normalised(y)
        found = y @ weights
        return np.hypot(found[:, : wanted.shape[1] // 2], found[:, wanted.shape[1] // 2 :]) * size

    truth = np.abs(held_out[1])
    errors = [np.abs(answer(strength, held_out[0]) - truth).mean() for strength in _STRENGTHS]
    return answer(_STRENGTHS[int(np.argmin(errors))], x)


def _normalised(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    peak = np.abs(x).max(axis=1, keepdims=True)
    peak = np.where(peak > 0, peak, 1.0)
    return x / peak, peak


def nearest_neighbour(train: tuple[np.ndarray, np.ndarray], x: np.ndarray) -> np.ndarray:
    """Amplitudes [n, 4] of the training window (windows [m, N], amplitudes [m, 4]) that is nearest to each of `x` [n, N]."""
    windows, amplitudes = train
    length = (windows**2).sum(1)
    nearest = [np.argmin(length - 2 * part @ windows.T, axis=1) for part in np.array_split(x, -(-len(x) // _ROWS))]
    return amplitudes[np.concatenate(nearest)]
