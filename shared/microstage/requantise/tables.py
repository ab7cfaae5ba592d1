"""Prove a staircase of thresholds per channel equal to a line of each channel and one table behind all of them.

Such is a function of a sum that is quantised before: the steps of all channels lie at places of one even scale, of
which the function makes some levels wide and leaves out others.
"""

from __future__ import annotations

import numpy as np

from microstage.requantise.constraints import Constraints
from microstage.requantise.lines import smallest_shift
from microstage.requantise.proof import equal
from microstage.requantise.stages import Search, Tabled

__all__ = ["fit_tabled"]

_LARGEST_TABLE = 4096


def fit_tabled(search: Search, low: np.ndarray | int, high: np.ndarray | int) -> Tabled | None:
    """Return a table behind lines that equals `search` at every sum in low..high, or None where none is found.

    `low` and `high` are one integer, or one per row. All rows have one multiplier, where that is possible.
    """
    t, (low, high) = search.thresholds, (np.broadcast_to(end, len(search.thresholds)) for end in (low, high))
    places = _places(t, low, high) if search.scale == 1 and t.size else None
    if places is None or max(int(np.abs(low).max()), int(np.abs(high).max())) >= 2**31:
        return None
    known, first = np.unique(places, return_index=True)
    every = np.arange(1, int(places[-1]) + 1)
    latest = t[:, first[np.searchsorted(known, every)]]
    earliest = t[:, first[np.searchsorted(known, every, side="right") - 1]]
    for alike in (True, False):
        line = smallest_shift(Constraints(latest, 0, low, high, earliest, np.isin(every, known), alike), even=False)
        if line is not None:
            levels = np.searchsorted(places, np.arange(line.low, line.high + 1), side="right")
            found = Tabled(line, search.bias + levels)
            return found if equal(search, found, low, high) else None
    return None


def _places(t: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray | None:
    """Return the place of each threshold, int64 [levels] from 1 on, on an even scale of all rows; None without one.

    Steps between neighbours, as a mean over the rows whose range holds both, are whole numbers of the smallest step.
    """
    inside = (t > low[:, None]) & (t <= high[:, None])
    both = inside[:, 1:] & inside[:, :-1]
    count = both.sum(axis=0)
    if t.shape[1] < 2 or not count.all():
        return None
    step = np.where(both, np.diff(t, axis=1), 0).sum(axis=0) / count
    scale = step.min(where=step > 0, initial=np.inf)
    for _ in range(2):
        places = np.rint(step / scale)
        if not places.any() or places.sum() > _LARGEST_TABLE:
            return None
        scale = step.sum() / places.sum()
    return np.concatenate([[1], 1 + np.cumsum(places.astype(np.int64))])
