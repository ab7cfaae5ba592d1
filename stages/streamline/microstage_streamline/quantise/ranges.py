"""Choose the range of a tensor's 256 levels: where rounding and clipping together err least."""

from __future__ import annotations

import itertools

import numpy as np

from microstage_streamline.quantise.observe import Observed

__all__ = ["least_error"]

_LEVELS = 255
_SHARES, _FEWER = np.linspace(1, 0.2, 41), np.linspace(1, 0.2, 21)


def least_error(seen: Observed) -> tuple[float, float]:
    """Return (lowest, highest), 0 among them: shares of the ends that were seen, with the least squared error."""
    low, high = min(seen.low, 0.0), max(seen.high, 0.0)
    shares = _FEWER if low < 0 < high else _SHARES
    pairs = list(itertools.product(dict.fromkeys(low * shares), dict.fromkeys(high * shares)))
    values = seen.centres
    errors = [_error(values, seen.counts, *pair) for pair in pairs]
    return pairs[int(np.argmin(errors))]


def _error(values: np.ndarray, counts: np.ndarray, low: float, high: float) -> float:
    """Return the squared error of quantising `values`, each of which is there so many times."""
    scale = (high - low) / _LEVELS
    if not scale:
        return 0.0
    zero = np.rint(-low / scale)
    given = (np.clip(np.rint(values / scale) + zero, 0, _LEVELS) - zero) * scale
    return float(np.dot(counts, np.square(given - values)))
