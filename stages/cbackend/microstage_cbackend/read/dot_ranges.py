"""Prove the range of sums of products."""

from __future__ import annotations

import numpy as np

__all__ = ["dot_range"]


def _dot_ranges(
    weights: np.ndarray, low: int, high: int, bias: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return (low, high) of each output of weights [outputs, depth] times values in low..high.

    They are Python's integers, so that nothing wraps.
    """
    ups, downs = _sides(weights)
    offsets = np.zeros(len(ups), object) if bias is None else bias.astype(object)
    return ups * low + downs * high + offsets, ups * high + downs * low + offsets


def dot_range(weights: np.ndarray, low: int, high: int, bias: np.ndarray | None = None) -> tuple[int, int, int, int]:
    """Return (low, high, lowest partial sum, highest partial sum) of weights [outputs, depth] times values.

    Values are in low..high. A partial sum in any order stays between the sum of all negative and the sum of all
    positive products.
    """
    lows, highs = _dot_ranges(weights, low, high, bias)
    least, most = _dot_ranges(weights, min(low, 0), max(high, 0))
    offsets = np.zeros(len(least), object) if bias is None else bias.astype(object)
    partial_low, partial_high = (least + np.minimum(offsets, 0)).min(), (most + np.maximum(offsets, 0)).max()
    return int(lows.min()), int(highs.max()), int(min(partial_low, *lows)), int(max(partial_high, *highs))


def _sides(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sum the positive and the negative weights of each output, as Python integers."""
    wide = int(np.abs(weights).max(initial=0)) * weights.shape[1] >= 2**62
    exact = weights.astype(object) if wide else weights.astype(np.int64)
    return tuple(part.sum(axis=1).astype(object) for part in (np.maximum(exact, 0), np.minimum(exact, 0)))
