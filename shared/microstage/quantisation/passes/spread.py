"""How the values of an activation are spread, and the ranges that follow from it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Spread"]

_BINS = 8192
_TAIL = 1e-5  # of all values: so many may lie beyond each end of a percentile's range
_SIGMAS = 3.0


@dataclass
class Spread:
    """Filled in two passes over the data: `widen` with all of it, then `count` with all of it."""

    lowest: float = 0.0
    highest: float = 0.0
    number: int = 0
    total: float = 0.0
    squares: float = 0.0
    histogram: Tensor | None = None

    def widen(self, values: Tensor) -> None:
        values = values.double()
        self.lowest = min(self.lowest, float(values.min()))
        self.highest = max(self.highest, float(values.max()))
        self.number += values.numel()
        self.total += float(values.sum())
        self.squares += float(values.square().sum())

    def count(self, values: Tensor) -> None:
        counted = torch.histc(values.float(), _BINS, self.lowest, max(self.highest, self.lowest + 1e-10)).double()
        self.histogram = counted if self.histogram is None else self.histogram + counted

    def counted(self) -> tuple[Tensor, Tensor]:
        """Return the middle of each bin, and how many values lie in it."""
        if self.histogram is None:
            raise ValueError("nothing was counted yet")
        width = (max(self.highest, self.lowest + 1e-10) - self.lowest) / _BINS
        return self.lowest + width * (torch.arange(_BINS, dtype=torch.double) + 0.5), self.histogram

    def whole(self) -> tuple[float, float]:
        return self.lowest, self.highest

    def percentile(self) -> tuple[float, float]:
        """Return the range that leaves out the rarest values at either end."""
        middles, counts = self.counted()
        below = counts.cumsum(0) / counts.sum()
        inside = middles[(below >= _TAIL) & (below <= 1 - _TAIL)]
        return (float(inside.min()), float(inside.max())) if len(inside) else self.whole()

    def three_sigma(self) -> tuple[float, float]:
        """Return mean - 3 sigma and mean + 3 sigma of all values."""
        mean = self.total / self.number
        reach = _SIGMAS * max(self.squares / self.number - mean**2, 0.0) ** 0.5
        return mean - reach, mean + reach
