"""Choose the form of a staircase of thresholds that a memory holds in the fewest bits.

A form is proven before it is taken. Both staircases never fall, so they are equal at every sum of low..high when they
are equal at its ends and, for each threshold, at the threshold and at the sum before it.
"""

from __future__ import annotations

import numpy as np

from microstage.requantise.lines import fit_affine, fit_lines
from microstage.requantise.memory import bits
from microstage.requantise.rows import fit_shared
from microstage.requantise.stages import Raw, Search, Stage

__all__ = ["compact", "equal", "trimmed"]


def compact(search: Search, low: np.ndarray | int, high: np.ndarray | int) -> Stage:
    """Return the stage of the fewest bits that equals `search` at every sum in low..high.

    `low` and `high` are one integer, or int64 [channels]. A stage of one row, where channels do not differ, says so by
    having one row of constants. No stage has a kink.
    """
    whole = search
    search, low, high = trimmed(search, low, high)
    if _is_identity(search, low, high):
        return Raw()
    line = fit_affine(search, low, high, kinks=False)
    lines = None if line is not None or len(search.thresholds) == 1 else fit_lines(search, low, high)
    found = [form for form in (line, lines, fit_shared(search, low, high)) if form is not None]
    best = min((*found, search, whole), key=bits)
    if not equal(whole, best, low, high):
        raise AssertionError("a form of thresholds differs from them")
    return best


def trimmed(search: Search, low: np.ndarray | int, high: np.ndarray | int) -> tuple[Search, np.ndarray, np.ndarray]:
    """Leave out thresholds that every sum or none reaches, make equal rows one; return the rows' ranges too."""
    t, (low, high) = search.thresholds, (np.atleast_1d(end) for end in (low, high))
    if np.all(t == t[:1]):
        t, low, high = t[:1], low.min(keepdims=True), high.max(keepdims=True)
    low, high = (np.broadcast_to(end, len(t)) for end in (low, high))
    always, never = np.all(t <= low[:, None], axis=0), np.all(t > high[:, None], axis=0)
    bias = search.bias + search.scale * int(always.sum())
    t = np.clip(t[:, ~always & ~never], low[:, None], high[:, None] + 1)
    wide = search.wide or max(int(np.abs(low).max()), int(np.abs(high).max()) + 1) >= 2**31
    return Search(t, search.scale, bias, wide), low, high


def equal(search: Search, stage: Stage, low: np.ndarray | int, high: np.ndarray | int) -> bool:
    """Tell whether `stage`, which never falls, gives what `search` gives at every sum in low..high of each row.

    `low` and `high` [rows] of whichever of the two has more rows, or one integer.
    """
    t = search.thresholds
    rows = max(len(t), np.size(low))
    low, high = (np.broadcast_to(end, rows)[:, None] for end in (low, high))
    steps = np.broadcast_to(np.hstack([t, t - 1]), (rows, 2 * t.shape[1]))
    sums = np.clip(np.hstack([low, high, steps]), low, high)
    channel = np.broadcast_to(np.arange(rows)[:, None], sums.shape)
    return np.array_equal(search.apply(sums, channel), stage.apply(sums, channel))


def _is_identity(search: Search, low: np.ndarray, high: np.ndarray) -> bool:
    """Tell whether every sum in low..high is its own level."""
    if len(search.thresholds) > 1 or search.scale != 1 or search.bias != low[0]:
        return False
    return np.array_equal(search.thresholds[0], np.arange(low[0] + 1, high[0] + 1))
