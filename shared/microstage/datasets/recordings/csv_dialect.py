"""How a table of numbers is written: what separates cells, and what a number's fraction."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

__all__ = ["Dialect", "dialect_of"]

_MISSING = {
    "",
    "nan",
    "-nan",
    "n/a",
    "na",
    "null",
    "none",
    "-",
    "--",
    "---",
    "inf",
    "-inf",
    "+inf",
    "\u221e",
    "-\u221e",
    "+\u221e",
    "#n/a",
}
"What instruments write for a sample that they do not have, or that was beyond their range."
_TYPESET = {0x2212: "-", **dict.fromkeys(map(ord, " \u00a0\u202f'"))}
"A minus, and what thousands are set apart by."
_CLOCK = re.compile(r"(?:\d[\d./-]*[T ]\s*)?(\d{1,2}):(\d\d):(\d\d(?:[.,]\d+)?)\s*(?:Z|[+-]\d\d:?\d\d)?")
_SAMPLE = 200
_LONGEST = 100  # characters of a number or a time
_WIDEST = 4096  # columns


@dataclass(frozen=True)
class Dialect:
    """`separator` of cells, `decimal` point or comma; cells may be quoted."""

    separator: str
    decimal: str

    def rows(self, lines: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
        """Yield (number of the line, from 1 on; its cells) of each line that is not blank.

        `csv.Error` for a line of too many.
        """
        reader = csv.reader(lines, delimiter=self.separator, skipinitialspace=True)
        for cells in reader:
            if len(cells) > _WIDEST:
                raise csv.Error(f"line {reader.line_num} has {len(cells)} columns, and at most {_WIDEST} are read")
            if any(cell.strip() for cell in cells):
                yield reader.line_num, [cell.strip() for cell in cells]

    def rows_of_numbers(self, lines: Sequence[str]) -> int:
        """Return how many of `lines` are such; none where a line has too many cells."""
        widest = max((line.count(self.separator) for line in lines), default=0)
        return sum(self.is_row(cells) for _, cells in self.rows(lines)) if widest < _WIDEST else 0

    def number(self, cell: str) -> float:
        """Return the number in a cell, NaN for a missing one; `ValueError` for what is none."""
        if len(cell) > _LONGEST:
            raise ValueError(cell)
        if cell.lower() in _MISSING:
            return math.nan
        plain = cell.translate(_TYPESET)
        other = "." if self.decimal == "," else ","
        if other in plain and re.fullmatch(rf"[+-]?[1-9]\d{{0,2}}(\{other}\d{{3}})+\{self.decimal}\d*", plain):
            plain = plain.replace(
                other, ""
            )  # of thousands; where no fraction follows, it may be the mark of one itself
        if other in plain or "_" in plain:
            raise ValueError(cell)
        return float(plain.replace(self.decimal, "."))

    def moment(self, cell: str) -> float:
        """Return a number, or the seconds of the day in a time such as 2026-01-31T23:59:59.123456."""
        found = _CLOCK.fullmatch(cell[: _LONGEST + 1])
        if found:
            return 3600 * int(found[1]) + 60 * int(found[2]) + float(found[3].replace(",", "."))
        return self.number(cell)

    def is_row(self, cells: Sequence[str]) -> bool:
        """Tell whether these are numbers, two or more; one may be a time of the day."""
        try:
            return sum(math.isfinite(self.moment(cell)) for cell in cells) > 1
        except ValueError:
            return False


def dialect_of(lines: Sequence[str]) -> Dialect:
    """Return the one in which most of the last lines are rows of numbers."""
    tail = [line for line in lines if line.strip()][-_SAMPLE:]
    known = [Dialect(separator, decimal) for separator in ",;\t|" for decimal in ".,"]
    return max(known, key=lambda one: one.rows_of_numbers(tail))
