"""From the real values of an input to its integers and back, as `interface.json` says it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from microstage.integer.quantisers import rounded

__all__ = ["RealInput"]


@dataclass(frozen=True, eq=False)
class RealInput:
    """An input of integers that the interface has `described`: by scale, zero point and rounding, or by thresholds."""

    described: Mapping[str, Any]

    def of(self, fact: str) -> np.ndarray:
        """Return a number of the interface, or one for each value, to be broadcast to [n, ...]."""
        value = np.asarray(self.described.get(fact, 0.0), np.float64)
        return value.reshape(1, *self.described["shape"][1:]) if value.ndim else value

    @property
    def thresholds(self) -> np.ndarray:
        """[..., levels - 1]."""
        return np.asarray(self.described["thresholds"], np.float64)

    def levels(self, values: np.ndarray) -> np.ndarray:
        """Return (value - offset) / scale, before it is rounded.

        A value that its quantiser reads as it is is divided in its own type.
        """
        if "precision" in self.described:
            kind = np.dtype(self.described["precision"])
            return (values.astype(kind) / self.of("scale").astype(kind)).astype(np.float64)
        return (values.astype(np.float64) - self.of("offset")) / self.of("scale")

    def quantised(self, values: np.ndarray) -> np.ndarray:
        """Return what the interface says that real values are: clip(round(levels) + zero point), the sign, or
        thresholds reached.
        """
        if "thresholds" in self.described:
            low, high = self.described["range"]
            step = (high - low) // self.thresholds.shape[-1]
            return low + step * (values.astype(np.float64)[..., None] >= self.thresholds).sum(-1)
        levels = self.levels(values)
        if self.described["datatype"] == "BIPOLAR":
            return np.where(levels >= 0, 1, -1)
        whole = rounded(levels, self.described.get("rounding", "ROUND"))
        return np.clip(whole + self.described["zero_point"], *self.described["range"]).astype(np.int64)

    def values(self, ints: np.ndarray) -> np.ndarray:
        """Return the real values of integers, which may be fractions."""
        return self.of("scale") * (ints - self.described["zero_point"]) + self.of("offset")
