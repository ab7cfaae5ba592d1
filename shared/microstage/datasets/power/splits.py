"""A recording, and the split by source: no window of a test source is ever near a training window."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from microstage.errors import DatasetError

__all__ = ["FOLDS", "Recording", "assign"]

FOLDS = 4


@dataclass(frozen=True)
class Recording:
    """One record at 64 samples per cycle.

    `samples` [L] are in A or V; `coefficients` [4] are the complex H1, H3, H5, H7 at its start.
    """

    source: str
    name: str
    samples: np.ndarray
    coefficients: np.ndarray
    periodic: bool

    @property
    def truth(self) -> np.ndarray:
        """Peak amplitudes [4]."""
        return np.abs(self.coefficients)


def assign(sources: list[str], fold: int) -> dict[str, str]:
    """Return {source: "train" | "validation" | "test"}.

    Sources are sorted; every fourth one tests fold `fold`, the next one validates.
    """
    ordered = sorted(set(sources))
    if len(ordered) < 3:
        raise DatasetError(f"A split by source needs at least 3 sources, found {len(ordered)}: {', '.join(ordered)}.")
    folds = min(FOLDS, len(ordered))
    parts = {}
    for index, source in enumerate(ordered):
        test = index % folds == fold % folds
        validation = not test and index % folds == (fold + 1) % folds and index < 2 * folds
        parts[source] = "test" if test else "validation" if validation else "train"
    return parts
