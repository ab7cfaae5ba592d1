"""Estimators that learn from recordings, and that a network is judged beside."""

from __future__ import annotations

import numpy as np

__all__ = ["constant", "linear_regression", "nearest_neighbour", "ridge"]

_STRENGTHS = 10.0 ** np.arange(-8, 3)
_ROWS = 64
Windows = tuple[np.ndarray, np.ndarray]  # windows [m, N], and their complex coefficients [m, 4]


def ridge(train: Windows, held_out: Windows, x: np.ndarray) -> np.ndarray:
    """Return amplitudes [n, 4] by ridge regression from windows to complex Fourier coefficients.

    Each window is divided by its own peak, and its answer multiplied by it; the strength is the one with the least
    error on `held_out`, before it ever sees `x` [n, N].
    """
    windows, scale = _normalised(train[0])
    truth = np.abs(held_out[1])
    sums = _sums(windows, train[1] / scale)

    def answer(strength: float, y: np.ndarray) -> np.ndarray:
        y, size = _normalised(y)
        return np.abs(y @ _weights(sums, strength * len(windows))) * size

    errors = [np.abs(answer(strength, held_out[0]) - truth).mean() for strength in _STRENGTHS]
    return answer(_STRENGTHS[int(np.argmin(errors))], x)


def linear_regression(train: Windows, x: np.ndarray) -> np.ndarray:
    """Return complex Fourier coefficients [.., 4] of windows `x` [.., N] by plain least squares.

    Both are in their own unit.
    """
    size = np.abs(train[0]).max()
    return x @ _weights(_sums(train[0] / size, train[1] / size), _STRENGTHS[0])


def constant(train: Windows, x: np.ndarray) -> np.ndarray:
    """Return amplitudes [n, 4] of an answer that never looks: the median of what it was trained on."""
    return np.tile(np.median(np.abs(train[1]), axis=0), (len(x), 1))


def _sums(windows: np.ndarray, coefficients: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return windows.T @ windows, windows.T @ coefficients


def _weights(sums: tuple[np.ndarray, np.ndarray], strength: float) -> np.ndarray:
    return np.linalg.solve(sums[0] + strength * np.eye(len(sums[0])), sums[1])


def _normalised(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    peak = np.abs(x).max(axis=1, keepdims=True)
    peak = np.where(peak > 0, peak, 1.0)
    return x / peak, peak


def nearest_neighbour(train: Windows, x: np.ndarray) -> np.ndarray:
    """Return amplitudes [n, 4] of the training window that is nearest to each of `x` [n, N]."""
    windows, amplitudes = train[0], np.abs(train[1])
    length = (windows**2).sum(1)
    nearest = [np.argmin(length - 2 * part @ windows.T, axis=1) for part in np.array_split(x, -(-len(x) // _ROWS))]
    return amplitudes[np.concatenate(nearest)]
