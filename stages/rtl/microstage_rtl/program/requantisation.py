"""What the machine makes of an exact sum: a line, or a line and a count of thresholds.

    line     clip((sum * multiplier + offset) >> shift, low, high)
    search   low + number of thresholds that sum * multiplier + offset reaches

`multiplier` and `offset` are one for all channels, or one for each; so are rows of thresholds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from microstage.requantise import MultiplyAddShift, Search, Shared, fit_affine, fit_shared

__all__ = ["MULTIPLIER_BITS", "Requantisation", "counted", "raw"]

MULTIPLIER_BITS = 18
"Of a multiplier with its sign, at most: what one factor of a multiplier of these devices takes."
_ONE = np.ones(1, np.int64)


@dataclass(frozen=True, eq=False)
class Requantisation:
    """Hold what a result goes through; `thresholds` int64 [rows, levels], ascending, None of a line."""

    multiplier: np.ndarray
    offset: np.ndarray
    shift: int
    low: int
    high: int
    thresholds: np.ndarray | None = None

    @property
    def steps(self) -> int:
        """Count the halvings of a search, 0 of a line."""
        return 0 if self.thresholds is None else int(self.thresholds.shape[1]).bit_length()

    def values(self, sums: np.ndarray, channel: np.ndarray) -> np.ndarray:
        """Return sum * multiplier + offset."""
        return sums * _of(self.multiplier, channel) + _of(self.offset, channel)

    def apply(self, sums: np.ndarray, channel: np.ndarray) -> np.ndarray:
        """Return the integers for `sums` of channels `channel`, both of one shape."""
        value = self.values(sums, channel)
        if self.thresholds is None:
            return np.clip(value >> self.shift, self.low, self.high)
        counts = np.empty(sums.shape, np.int64)
        rows = channel if len(self.thresholds) > 1 else np.zeros_like(channel)
        for row in np.unique(rows):
            here = rows == row
            counts[here] = np.searchsorted(self.thresholds[row], value[here], side="right")
        return self.low + counts

    def raised_shift(self, by: int) -> Requantisation:
        """Return the same line with a shift that is larger by so much."""
        return replace(self, multiplier=self.multiplier << by, offset=self.offset << by, shift=self.shift + by)

    @property
    def bits(self) -> int:
        """Count the bits of its constants: offsets, multipliers where channels differ in them, thresholds."""
        constants = [a for a in (self.multiplier, self.offset, self.thresholds) if a is not None and a.size > 1]
        return sum(a.size * (int(np.abs(a).max()).bit_length() + 1) for a in constants)


def raw(low: int, high: int, offset: np.ndarray | int = 0, multiplier: np.ndarray | int = 1) -> Requantisation:
    """Return sum * multiplier + offset, which lies in low..high or is held there."""
    return Requantisation(_row(multiplier), _row(offset), 0, low, high)


def counted(search: Search, low: np.ndarray, high: np.ndarray) -> Requantisation:
    """Return the smallest form that equals `search` (of scale 1) at every sum in low..high, int64 [channels]."""
    rows = len(search.thresholds)
    ends = (low.min(), high.max()) if rows == 1 else (low, high)
    line = fit_affine(search, *ends)
    if line is not None and _plain(line):
        return _of_line(line)
    shared = fit_shared(search, *ends)
    if shared is not None:
        return _of_shared(shared)
    held = np.clip(search.thresholds, *(np.broadcast_to(end, rows)[:, None] for end in (ends[0], ends[1] + 1)))
    return _of_search(held, np.zeros(1, np.int64), _ONE, search.bias)


def _plain(line: MultiplyAddShift) -> bool:
    return line.kink is None and not line.even and int(np.abs(line.multiplier).max()) < 1 << MULTIPLIER_BITS - 1


def _of_line(line: MultiplyAddShift) -> Requantisation:
    return Requantisation(_alike(line.multiplier), _alike(line.offset), line.shift, line.low, line.high)


def _of_shared(shared: Shared) -> Requantisation:
    return _of_search(shared.thresholds[None], shared.offset, _ONE << shared.shift, shared.bias)


def _of_search(thresholds: np.ndarray, offset: np.ndarray, multiplier: np.ndarray, bias: int) -> Requantisation:
    return Requantisation(multiplier, _alike(offset), 0, bias, bias + thresholds.shape[1], thresholds)


def _row(value: np.ndarray | int) -> np.ndarray:
    return _alike(np.atleast_1d(np.asarray(value, np.int64)).ravel())


def _alike(row: np.ndarray) -> np.ndarray:
    """Return one constant where all channels have the same."""
    return row[:1] if row.size and (row == row[0]).all() else row


def _of(row: np.ndarray, channel: np.ndarray) -> np.ndarray:
    return row[channel] if row.size > 1 else row[0]
