"""CSV recordings as instruments and spreadsheets write them: lines of any text, a heading, one row per sample.

    Time (ms),Voltage (V),Current (A)
    -16.64,-81.386,-2.291

Commas, semicolons, tabs; decimal point or comma; quoted or not; any encoding (`csv_dialect`, `decoding`). The heading is one or two rows
that name a time and a column of A or V (`csv_header`); where it gives no units, a time is in s unless that is absurd.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from microstage.datasets.csv_dialect import Dialect, dialect_of
from microstage.datasets.csv_header import Column, columns_of, with_units
from microstage.datasets.csv_time import rate_of, seconds_of, spread
from microstage.datasets.decoding import decode
from microstage.datasets.reading import content_of, lines_of
from microstage.datasets.units import ambiguous, factor
from microstage.datasets.waveform import Waveform
from microstage.errors import DatasetError

__all__ = ["read"]

_Rows = list[tuple[int, list[str]]]
_PREAMBLE = 4096  # rows that a heading is looked for in
_UNITS = "A, mA, kA, V, mV, kV"


@dataclass(frozen=True)
class _Table:
    """The columns by the heading in line `row`, and the numbered rows below it."""

    path: Path
    dialect: Dialect
    row: int
    columns: list[Column]
    rows: _Rows

    @property
    def shown(self) -> str:
        return ", ".join(column.shown for column in self.columns if column.shown != "(no name)")


def read(path: Path, channel: str | None, name: str | None = None, gaps: bool = False) -> Waveform:
    """A column in A or V; `DatasetError` names file, row and reason.

    `channel` is "current" or "voltage", the first that is one, or None for the column called `name`. A cell that is empty or `nan` and
    a gap in time are errors, or NaN at the samples that are missing where `gaps` are allowed.
    """
    table = _table(path, name)
    time = next(place for place, column in enumerate(table.columns) if column.quantity == "time")
    chosen = _choose(table, time, channel, name)
    samples, stamps = _values(table, chosen, time, gaps)
    unit, rows = table.columns[chosen].unit, [row for row, _ in table.rows]
    samples = samples * (factor(unit) if unit else 1)
    seconds, resolution = seconds_of(path, rows, stamps, table.dialect, table.columns[time].unit)
    with_gaps = spread(samples, seconds) if gaps else None
    samples, rate = with_gaps or (samples, rate_of(path, rows, seconds, resolution))
    return Waveform(samples, rate, {"current": "A", "voltage": "V"}.get(table.columns[chosen].quantity or "", ""))


def _table(path: Path, name: str | None) -> _Table:
    try:
        lines = lines_of(path, decode(content_of(path), name))
        dialect = dialect_of(lines)
        rows = list(dialect.rows(lines))
    except csv.Error as error:
        raise DatasetError(f"{path} cannot be read: {error}.") from None
    place, columns, below = _heading(path, lines, rows, dialect)
    return _Table(path, dialect, rows[place][0], columns, below)


def _heading(path: Path, lines: Sequence[str], rows: _Rows, dialect: Dialect) -> tuple[int, list[Column], _Rows]:
    """(which row is it, its columns, the rows below): the last one with a time before the first row of numbers behind any such."""
    found = None
    for place, (_, cells) in enumerate(rows[:_PREAMBLE]):
        if dialect.is_row(cells):
            if found:
                break
            continue
        columns, following = columns_of(cells), rows[place + 1][1] if place + 1 < len(rows) else []
        units = with_units(columns, following)
        if len(columns) > 1 and any(column.quantity == "time" for column in units or columns):
            found = place, units or columns, place + (2 if units else 1)
    if found is None:
        raise DatasetError(_no_heading(path, lines, rows, dialect))
    place, columns, first = found
    return place, columns, rows[first:]


def _no_heading(path: Path, lines: Sequence[str], rows: _Rows, dialect: Dialect) -> str:
    """What is there instead."""
    wanted = "expected one that names a time in s, ms or us and a current or voltage, such as 'Time (s),Current (A)'"
    first = next((place for place, (_, cells) in enumerate(rows[:_PREAMBLE]) if dialect.is_row(cells)), 0)
    if not first:
        return f"{path}: no header with a time column in {min(len(lines), _PREAMBLE)} rows; {wanted}."
    row, cells = rows[first - 1]
    found = ", ".join(cell for cell in cells if cell)
    return f"{path}, row {row}: no header with a time column above the numbers, found {found}; {wanted}."


def _choose(table: _Table, time: int, channel: str | None, name: str | None) -> int:
    fitting = [place for place, column in enumerate(table.columns) if place != time and channel in (None, column.quantity)]
    if name is not None:
        fitting = [place for place in fitting if name.lower() in (table.columns[place].name.lower(), table.columns[place].shown.lower())]
        fitting = [place for place in fitting if table.columns[place].quantity or not table.columns[place].unit]
    if not fitting:
        wanted = f"called {name!r}" if name else f"that is a {channel}"
        raise DatasetError(f"{table.path}, row {table.row}: no column {wanted} ({_UNITS}); found {table.shown}{_unsaid(table, time)}.")
    unit = table.columns[fitting[0]].unit
    if ambiguous(unit):
        raise DatasetError(f"{table.path}, row {table.row}: {unit} may be mA or MA; write mA for milliamperes, or kA with other numbers.")
    return fitting[0]


def _unsaid(table: _Table, time: int) -> str:
    """What to do about columns without a unit."""
    plain = [column.name for place, column in enumerate(table.columns) if place != time and column.name and not column.unit]
    return f"; CHANNEL={plain[0]!r} reads that column as it is" if plain else ""


def _values(table: _Table, chosen: int, time: int, gaps: bool) -> tuple[np.ndarray, list[str]]:
    """(the column's values, the texts of the time); with `gaps` values may be missing."""
    values, stamps, width = np.empty(len(table.rows)), [], len(table.columns)
    for index, (row, cells) in enumerate(table.rows):
        if len(cells) != width:
            raise DatasetError(f"{table.path}, row {row}: expected {width} values, found {len(cells)}{_comma(table, cells)}.")
        try:
            values[index] = table.dialect.number(cells[chosen])
        except ValueError:
            raise DatasetError(f"{table.path}, row {row}: {cells[chosen]!r} is not a number.") from None
        if not (gaps or np.isfinite(values[index])):
            raise DatasetError(f"{table.path}, row {row}: a value is not finite.")
        stamps.append(cells[time])
    if len(values) < 2:
        raise DatasetError(f"{table.path}: no samples after row {table.row}.")
    return values, stamps


def _comma(table: _Table, cells: Sequence[str]) -> str:
    doubled = table.dialect.separator == "," and len(cells) == 2 * len(table.columns)
    return "; commas separate values here and begin their fractions: write it with semicolons or points" if doubled else ""
