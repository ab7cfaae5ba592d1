"""One channel of a recording."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Waveform"]


@dataclass(frozen=True)
class Waveform:
    """`samples` [L] at `rate` Hz in `unit`, A or V, or "" where the file says neither; `remarks` are sentences for who reads results."""

    samples: np.ndarray
    rate: float
    unit: str = ""
    remarks: tuple[str, ...] = ()
