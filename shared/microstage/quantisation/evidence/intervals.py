"""Intervals of a difference between two methods on the same test examples, by drawing examples again."""

from __future__ import annotations

import numpy as np

__all__ = ["drawn_weights", "interval", "relative_l2_of"]

_DRAWS = 2000
_LEVEL = 0.95


def drawn_weights(units: int, seed: int) -> np.ndarray:
    """Return how often each unit is drawn [draws, units]; the first row has each once."""
    drawn = np.random.default_rng(seed).integers(0, units, (_DRAWS, units))
    counts = np.stack([np.bincount(row, minlength=units) for row in drawn])
    return np.concatenate([np.ones((1, units), counts.dtype), counts])


def relative_l2_of(errors: np.ndarray, sizes: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the relative L2 of each draw [draws]; `errors` and `sizes` are squared sums of each unit [units]."""
    return np.sqrt((weights @ errors) / (weights @ sizes))


def interval(ours: np.ndarray, theirs: np.ndarray) -> tuple[float, float, float]:
    """Return (difference, lower end, upper end) of ours - theirs [draws], of which the first is that of all units."""
    difference = ours - theirs
    low, high = np.quantile(difference[1:], [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
    return float(difference[0]), float(low), float(high)
