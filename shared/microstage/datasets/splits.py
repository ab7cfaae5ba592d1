"""What `load` returns, and the split by source: no window of a test source is ever near a training window."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from microstage.errors import DatasetError

__all__ = ["Dataset", "FOLDS", "GENERATED", "Recording", "SUPERPOSED", "Split", "assign"]

FOLDS = 4
GENERATED, SUPERPOSED = "generator", "superposed"  # sources of training windows that are no recording's


@dataclass(frozen=True)
class Recording:
    """One record at 64 samples per cycle: `samples` [L] in A or V, complex `coefficients` [4] of H1, H3, H5, H7 at its start."""

    source: str
    name: str
    samples: np.ndarray
    coefficients: np.ndarray
    periodic: bool

    @property
    def truth(self) -> np.ndarray:
        """Peak amplitudes [4]."""
        return np.abs(self.coefficients)


@dataclass(frozen=True)
class Split:
    """Windows [n, N] and complex `coefficients` [n, 4] at their first samples, in A or V, and the source of each window [n]."""

    windows: np.ndarray
    coefficients: np.ndarray
    source: np.ndarray

    @property
    def truth(self) -> np.ndarray:
        """Peak amplitudes [n, 4]."""
        return np.abs(self.coefficients)

    @property
    def recorded(self) -> Split:
        """The windows as they were recorded; all of them, where none was."""
        rows = ~np.isin(self.source, (GENERATED, SUPERPOSED))
        return Split(self.windows[rows], self.coefficients[rows], self.source[rows]) if rows.any() else self

    def __len__(self) -> int:
        return len(self.windows)


@dataclass(frozen=True)
class Dataset:
    """Three splits that share no source; `unit` is A or V."""

    train: Split
    validation: Split
    test: Split
    unit: str


def assign(sources: list[str], fold: int) -> dict[str, str]:
    """{source: "train" | "validation" | "test"}: sources sorted, every fourth one tests fold `fold`, the next validates."""
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
