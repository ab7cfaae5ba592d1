"""What the machine makes of an exact sum: a line, a line and a table, or a line and a count of thresholds.

    line     clip((sum * multiplier + offset) >> shift, low, high)
    table    values[line - low]
    search   low + number of thresholds that sum * multiplier + offset reaches

Lines that are `even` give one less where what the shift cuts off is zero and the result would be odd: with half a step
in `offset`, halves go to the even neighbour. `multiplier` and `offset` are one for all channels, or one for each; so
are rows of thresholds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from microstage.requantise import (
    Lines,
    MultiplyAddShift,
    Search,
    Shared,
    fit_affine,
    fit_lines,
    fit_shared,
    fit_tabled,
    trimmed,
)

__all__ = ["MULTIPLIER_BITS", "Requantisation", "counted", "raw"]

MULTIPLIER_BITS = 34
"Of a multiplier with its sign, at most: what two pieces hold that multipliers of 18 bits take (ms_multiply.sv)."
_ONE = np.ones(1, np.int64)
_DIRECT = 1024
"Sums that a table may have a value for each of."


@dataclass(frozen=True, eq=False)
class Requantisation:
    """Hold what a result goes through.

    `values` int64 [high - low + 1] of a table, `thresholds` int64 [rows, levels], ascending, of a search, else None.
    """

    multiplier: np.ndarray
    offset: np.ndarray
    shift: int
    low: int
    high: int
    thresholds: np.ndarray | None = None
    values: np.ndarray | None = None
    even: bool = False

    @property
    def steps(self) -> int:
        """Count the halvings of a search, 0 of anything else."""
        return 0 if self.thresholds is None else int(self.thresholds.shape[1]).bit_length()

    @property
    def ends(self) -> tuple[int, int]:
        """Return the least and the greatest integer that is stored."""
        return (self.low, self.high) if self.values is None else (int(self.values.min()), int(self.values.max()))

    def raised_shift(self, by: int) -> Requantisation:
        """Return the same line with a shift that is larger by so much."""
        return replace(self, multiplier=self.multiplier << by, offset=self.offset << by, shift=self.shift + by)


def raw(low: int, high: int, offset: np.ndarray | int = 0, multiplier: np.ndarray | int = 1) -> Requantisation:
    """Return sum * multiplier + offset, which lies in low..high or is held there."""
    return Requantisation(_row(multiplier), _row(offset), 0, low, high)


def counted(search: Search, low: np.ndarray, high: np.ndarray) -> Requantisation:
    """Return a form that equals `search` (of scale 1) at every sum in low..high, int64 [channels].

    A line where there is one, else a table behind a line, else thresholds: the first two give an integer each clock.
    """
    search, low, high = trimmed(search, low, high)
    line = fit_affine(search, low, high, kinks=False)
    if line is not None and _fits(line):
        return _of_line(line)
    lines = _of_one_shift(fit_lines(search, low, high)) if line is None and len(search.thresholds) > 1 else None
    if lines is not None and _fits(lines):
        return _of_line(lines)
    tabled = fit_tabled(search, low, high)
    if tabled is not None and _fits(tabled.line):
        return replace(_of_line(tabled.line), values=tabled.values)
    if len(search.thresholds) == 1 and int(high[0]) - int(low[0]) < _DIRECT:
        return _of_each(search, int(low[0]), int(high[0]))
    shared = fit_shared(search, low, high)
    if shared is not None:
        return _of_shared(shared)
    return _of_search(search.thresholds, np.zeros(1, np.int64), _ONE, search.bias)


def _of_one_shift(lines: Lines | None) -> MultiplyAddShift | None:
    """Return the same with the largest shift of all for every channel: multipliers and offsets are as much larger."""
    if lines is None:
        return None
    shift = int(lines.shift.max())
    more = shift - lines.shift
    multiplier, offset = lines.multiplier << more, lines.offset << more
    return MultiplyAddShift(multiplier, offset, shift, lines.low, lines.high)


def _fits(line: MultiplyAddShift) -> bool:
    return line.kink is None and not line.odd and int(np.abs(line.multiplier).max()) < 1 << MULTIPLIER_BITS - 1


def _of_line(line: MultiplyAddShift) -> Requantisation:
    offset = line.offset + (1 << line.shift - 1 if line.even else 0)
    return Requantisation(_alike(line.multiplier), _alike(offset), line.shift, line.low, line.high, even=line.even)


def _of_each(search: Search, low: int, high: int) -> Requantisation:
    """Return a table of what each sum gives."""
    sums = np.arange(low, high + 1)
    return replace(raw(low, high), values=search.apply(sums, np.zeros_like(sums)))


def _of_shared(shared: Shared) -> Requantisation:
    return _of_search(shared.thresholds[None], shared.offset, _ONE << shared.shift, shared.bias)


def _of_search(thresholds: np.ndarray, offset: np.ndarray, multiplier: np.ndarray, bias: int) -> Requantisation:
    return Requantisation(multiplier, _alike(offset), 0, bias, bias + thresholds.shape[1], thresholds)


def _row(value: np.ndarray | int) -> np.ndarray:
    return _alike(np.atleast_1d(np.asarray(value, np.int64)).ravel())


def _alike(row: np.ndarray) -> np.ndarray:
    """Return one constant where all channels have the same."""
    return row[:1] if row.size and (row == row[0]).all() else row
