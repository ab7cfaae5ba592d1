"""Search where a function of many levels steps: the thresholds of a 16-bit activation, some thousands at a time."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from microstage.errors import ModelError

__all__ = ["first_reached"]

_EVERY, _AT_ONCE, _NEAR = 64, 1 << 18, 2


def first_reached(
    function: Callable[[np.ndarray], np.ndarray], levels: np.ndarray, low: np.ndarray, high: np.ndarray
) -> np.ndarray:
    """Return [channels, levels]: the least integer of low..high [channels] at which a rising `function` reaches each of
    `levels`; high + 1 where none does.

    Every 64th level is searched by halves, those between them around the straight line from one to the next, as they
    are as a rule. `ModelError` for a function that falls somewhere.
    """
    coarse = np.unique([*range(0, len(levels), _EVERY), len(levels) - 1])
    below, above = (np.broadcast_to(end, (len(coarse), len(low))) for end in (low - 1, high + 1))
    ends = _halved(function, levels[coarse], below, above, low, high)
    parts, each = [], max(1, _AT_ONCE // len(low))
    for first in range(0, len(levels), each):
        places = np.arange(first, min(first + each, len(levels)))
        right = np.searchsorted(coarse, places)
        left = np.maximum(right - 1, 0)
        share = (places - coarse[left]) / np.maximum(coarse[right] - coarse[left], 1)
        near = (ends[left] + (ends[right] - ends[left]) * share[:, None]).astype(np.int64)
        some = levels[places]
        below, above = _around(function, some, near, ends[left] - 1, ends[right], low, high)
        parts.append(_halved(function, some, below, above, low, high))
    table = np.concatenate(parts)
    if np.any(np.diff(table, axis=0) < 0):
        raise ModelError("A function of an accumulator is not monotone; it has no thresholds.")
    return table.T


def _around(function, levels, near, below, above, low, high) -> tuple[np.ndarray, np.ndarray]:
    """Return (below, above) as close to `near` as the function allows."""
    for x in (np.minimum(near + _NEAR, above), np.maximum(near - _NEAR, below)):
        reached = (x > high) | (x >= low) & (function(np.clip(x, low, high)) >= levels[:, None])
        above, below = np.where(reached, np.minimum(above, x), above), np.where(reached, below, np.maximum(below, x))
    return below, above


def _halved(function, levels, below, above, low, high) -> np.ndarray:
    """Return `above` with f(below) < level <= f(above), by convention outside the range, once they are neighbours."""
    while (apart := above - below > 1).any():
        middle = np.where(apart, (below + above) // 2, np.clip(below, low, high))
        reached = function(middle) >= levels[:, None]
        above, below = np.where(apart & reached, middle, above), np.where(apart & ~reached, middle, below)
    return above
