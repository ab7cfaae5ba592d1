"""Choose the form of a staircase of thresholds that a memory holds in the fewest bits."""

from __future__ import annotations

import numpy as np

from microstage.requantise.lines import fit_affine, fit_lines
from microstage.requantise.memory import bits
from microstage.requantise.proof import equal
from microstage.requantise.rows import fit_shared
from microstage.requantise.stages import Raw, Search, Stage
from microstage.requantise.tables import fit_tabled

__all__ = ["compact", "trimmed"]


def compact(search: Search, low: np.ndarray | int, high: np.ndarray | int, tables: bool = False) -> Stage:
    """Return the stage of the fewest bits that equals `search` at every sum in low..high.

    `low` and `high` are one integer, or int64 [channels]. A stage of one row, where channels do not differ, says so by
    having one row of constants. No stage has a kink, and none is Tabled unless `tables`.
    """
    whole = search
    search, low, high = trimmed(search, low, high)
    if _is_identity(search, low, high):
        return Raw()
    line = fit_affine(search, low, high, kinks=False)
    lines = None if line is not None or len(search.thresholds) == 1 else fit_lines(search, low, high)
    tabled = fit_tabled(search, low, high) if tables and line is None else None
    forms = line, lines, tabled, fit_shared(search, low, high), search, whole
    best = min((form for form in forms if form is not None), key=bits)
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


def _is_identity(search: Search, low: np.ndarray, high: np.ndarray) -> bool:
    """Tell whether every sum in low..high is its own level."""
    if len(search.thresholds) > 1 or search.scale != 1 or search.bias != low[0]:
        return False
    return np.array_equal(search.thresholds[0], np.arange(low[0] + 1, high[0] + 1))
