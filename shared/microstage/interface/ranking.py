"""Integers that stand in the order of values on lines of one slope: scale * integer + offset, an offset for each."""

from __future__ import annotations

import numpy as np

__all__ = ["ranking"]


def ranking(scale: float, offsets: np.ndarray) -> tuple[int, np.ndarray]:
    """Return (factor, addends int64): factor * integer + addend is in the order of scale * integer + offset.

    It is equal where those are.

    offset / scale, as float32 has it, is a whole number and one of `factor` fractions, of which the addend holds the
    place: of two values with one whole part the larger fraction wins. Precondition: `scale` is above 0.
    """
    steps = (np.asarray(offsets, np.float64) / scale).astype(np.float32).astype(np.float64)
    whole = np.floor(steps)
    fractions, places = np.unique(steps - whole, return_inverse=True)
    return len(fractions), whole.astype(np.int64) * len(fractions) + places.reshape(whole.shape)
