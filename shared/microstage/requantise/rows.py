"""Prove a staircase of thresholds per channel equal to one row of thresholds that all channels share."""

from __future__ import annotations

import numpy as np

from microstage.requantise.stages import Search, Shared

__all__ = ["fit_shared"]

_FAR = 2**61
_MOST_ROUNDS = 100


def fit_shared(search: Search, low: np.ndarray | int, high: np.ndarray | int) -> Shared | None:
    """Return the form whose channels share one row of thresholds, equal to `search` at every sum in low..high, or None.

    A channel reaches level k at sum t and not at t - 1 exactly when threshold k lies above ((t - 1) << shift) + offset
    and not above (t << shift) + offset. These are bounds on differences of thresholds and offsets, which have a
    solution if and only if shortest paths between them settle.
    """
    t = search.thresholds
    if search.scale != 1 or len(t) == 1 or not t.size:
        return None
    low, high = (np.broadcast_to(end, len(t))[:, None] for end in (low, high))
    reach = max(int(np.abs(low).max()), int(np.abs(high).max())) + int(np.ptp(np.clip(t, low, high + 1)))
    for shift in range(0, 30 - max(reach, 1).bit_length(), 2):
        above = np.where(t <= low, low << shift, np.where(t > high, _FAR, t << shift))
        below = np.where(t > high, high << shift, np.where(t <= low, -_FAR, (t - 1) << shift))
        found = _settle(above, below)
        if found is not None:
            return Shared(*found, shift, search.bias)
    return None


def _settle(above: np.ndarray, below: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Return thresholds [levels] and offsets [channels] with below < threshold - offset <= above, or None.

    `above` and `below` are [channels, levels].
    """
    thresholds, offsets = np.zeros(above.shape[1], np.int64), np.zeros(above.shape[0], np.int64)
    for _ in range(_MOST_ROUNDS):
        lower = np.minimum(thresholds, (offsets[:, None] + above).min(axis=0))
        lower = np.minimum.accumulate(lower[::-1])[::-1]
        less = np.minimum(offsets, (lower - below - 1).min(axis=1))
        if np.array_equal(lower, thresholds) and np.array_equal(less, offsets):
            centre = (int(thresholds.max()) + int(thresholds.min())) // 2
            fits = max(int(np.abs(v - centre).max()) for v in (thresholds, offsets)) < 2**30
            return (thresholds - centre, offsets - centre) if fits else None
        thresholds, offsets = lower, less
    return None
