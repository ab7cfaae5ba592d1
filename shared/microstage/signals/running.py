"""What a meter makes of estimates that come half cycle after half cycle: their mean, and when to start it anew."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from microstage.signals.windows import SAMPLES_PER_CYCLE

__all__ = ["aligned", "gated_mean", "running_mean"]

_JUMP = 0.03  # of the mean


def aligned(coefficients: np.ndarray, length: int, harmonics: Sequence[int] = (1, 3, 5, 7)) -> np.ndarray:
    """Return complex amplitudes [n, L, 4] at the first samples of windows of `length`.

    All are as they are at the first window's.

    The mean of what is aligned is the DFT over all windows so far, as long as the mains run at their nominal frequency.
    """
    turns = np.multiply.outer(np.arange(coefficients.shape[1]) * length, harmonics) / SAMPLES_PER_CYCLE
    return coefficients * np.exp(-2j * np.pi * turns)


def running_mean(estimates: np.ndarray) -> np.ndarray:
    """Return the mean of all estimates [n, L, 4] so far, at each step."""
    return np.cumsum(estimates, axis=1) / np.arange(1, estimates.shape[1] + 1)[:, None]


def gated_mean(estimates: np.ndarray, jump: float = _JUMP) -> np.ndarray:
    """Return the mean as `running_mean` does, but let all four start anew at a jump.

    A jump is where the newest fundamental is over `jump` away from its mean.
    """
    total, count, answers = np.zeros_like(estimates[:, 0]), np.zeros((len(estimates), 1)), []
    for newest in estimates.transpose(1, 0, 2):
        mean = total[:, :1] / np.maximum(count, 1)
        keep = np.abs(newest[:, :1] - mean) <= jump * np.abs(mean)
        total, count = keep * total + newest, keep * count + 1
        answers.append(total / count)
    return np.stack(answers, axis=1)
