"""Prove two staircases equal at every sum, by the sums around their steps."""

from __future__ import annotations

import numpy as np

from microstage.requantise.stages import Search, Stage

__all__ = ["equal"]


def equal(search: Search, stage: Stage, low: np.ndarray | int, high: np.ndarray | int) -> bool:
    """Tell whether `stage`, which never falls, gives what `search` gives at every sum in low..high of each row.

    Both staircases never fall, so they are equal everywhere when they are equal at low, at high and, for each
    threshold, there and at the sum before it. `low` and `high` are one integer, or one for each row of whichever of the
    two has more rows.
    """
    t = search.thresholds
    rows = max(len(t), np.size(low))
    low, high = (np.broadcast_to(end, rows)[:, None] for end in (low, high))
    steps = np.broadcast_to(np.hstack([t, t - 1]), (rows, 2 * t.shape[1]))
    sums = np.clip(np.hstack([low, high, steps]), low, high)
    channel = np.broadcast_to(np.arange(rows)[:, None], sums.shape)
    return np.array_equal(search.apply(sums, channel), stage.apply(sums, channel))
