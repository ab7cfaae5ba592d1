"""What a meter makes of estimates that come half cycle after half cycle: their mean, and when to start it anew."""

from __future__ import annotations

import numpy as np

__all__ = ["gated_mean", "running_mean"]

_JUMP = 0.03  # of the mean


def running_mean(estimates: np.ndarray) -> np.ndarray:
    """Of estimates [n, L, 4], at each step the mean of all so far."""
    return np.cumsum(estimates, axis=1) / np.arange(1, estimates.shape[1] + 1)[:, None]


def gated_mean(estimates: np.ndarray, jump: float = _JUMP) -> np.ndarray:
    """As `running_mean`, but all four start anew where the newest fundamental is more than `jump` away from its mean."""
    total, count, answers = np.zeros_like(estimates[:, 0]), np.zeros((len(estimates), 1)), []
    for newest in estimates.transpose(1, 0, 2):
        mean = total[:, :1] / np.maximum(count, 1)
        keep = np.abs(newest[:, :1] - mean) <= jump * mean
        total, count = keep * total + newest, keep * count + 1
        answers.append(total / count)
    return np.stack(answers, axis=1)
