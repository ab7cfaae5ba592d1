"""CSV recordings as instruments and spreadsheets write them: lines of any text, a heading, one row per sample.

    Time (ms),Voltage (V),Current (A)
    -16.64,-81.386,-2.291

Commas, semicolons, tabs; decimal point or comma; quoted or not; any encoding (`csv_dialect`, `decoding`). The heading
is one or two rows that name a time and a column of A or V (`csv_header`); where it gives no units, a time is in s
unless that is absurd.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import numpy as np

from microstage.datasets.recordings.csv_dialect import Dialect, dialect_of
from microstage.datasets.recordings.csv_header import Column, columns_of, with_units
from microstage.datasets.recordings.csv_time import rate_of, seconds_of, spread
from microstage.datasets.recordings.decoding import decode
from microstage.datasets.recordings.reading import content_of, lines_of
from microstage.datasets.recordings.units import ambiguous, factor
from microstage.datasets.recordings.waveform import Channel, Waveform
from microstage.errors import DatasetError

__all__ = ["channels"]

_Rows = list[tuple[int, list[str]]]
_Stamps = tuple[np.ndarray, np.ndarray]
_BASE = {"current": "A", "voltage": "V"}
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


def channels(path: Path, kind: str | None, names: Sequence[str] = (), gaps: bool = False) -> list[Channel]:
    """Return the columns in A or V; `DatasetError` names file, row and reason.

    All of the `kind` "current" or "voltage"; or those called `names`; or, with neither, every column but the time. A
    cell that is empty or `nan` and a gap in time are errors when that column is read, or NaN where `gaps` are allowed.
    """
    table = _table(path, next((name for name in names if not name.isascii()), None))
    time = next(place for place, column in enumerate(table.columns) if column.quantity == "time")
    stamps = cache(partial(_stamps, table, time))
    chosen = _choose(table, time, kind, names)
    return [Channel(table.columns[k].called, partial(_waveform, table, k, stamps, bool(names), gaps)) for k in chosen]


def _waveform(table: _Table, chosen: int, stamps: Callable[[], _Stamps], named: bool, gaps: bool) -> Waveform:
    """Return the column; one that has no unit, and says neither what it is, where it was `named`."""
    column = table.columns[chosen]
    if column.quantity not in _BASE and (column.unit or not named):
        mend = "" if column.unit else f"; CHANNEL={column.name!r} reads it as it is"
        raise DatasetError(f"{table.path}, row {table.row}: {column.shown} is in no unit of A or V{mend}.")
    if ambiguous(column.unit):
        mend = "write mA for milliamperes, or kA with other numbers"
        raise DatasetError(f"{table.path}, row {table.row}: {column.unit} may be mA or MA; {mend}.")
    samples = _values(table, chosen, gaps) * (factor(column.unit) if column.unit else 1)
    rows, (seconds, resolution) = [row for row, _ in table.rows], stamps()
    with_gaps = spread(samples, seconds) if gaps else None
    samples, rate = with_gaps or (samples, rate_of(table.path, rows, seconds, resolution))
    return Waveform(samples, rate, _BASE.get(column.quantity or "", ""), name=column.called)


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
    """Return (which row is the heading, its columns, the rows below it).

    It is the last row that names a time and stands before the first row of numbers behind any such.
    """
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
    """Tell what is there instead of a heading."""
    wanted = "expected one that names a time in s, ms or us and a current or voltage, such as 'Time (s),Current (A)'"
    first = next((place for place, (_, cells) in enumerate(rows[:_PREAMBLE]) if dialect.is_row(cells)), 0)
    if not first:
        return f"{path}: no header with a time column in {min(len(lines), _PREAMBLE)} rows; {wanted}."
    row, cells = rows[first - 1]
    found = ", ".join(cell for cell in cells if cell)
    return f"{path}, row {row}: no header with a time column above the numbers, found {found}; {wanted}."


def _choose(table: _Table, time: int, kind: str | None, names: Sequence[str]) -> list[int]:
    """Return which columns are meant: a cell of the heading as it stands, or without its unit, is a name."""
    others = [place for place, column in enumerate(table.columns) if place != time and (column.name or column.unit)]
    if not (kind or names):
        return others
    of_kind = [[place for place in others if table.columns[place].quantity == kind]]
    fitting = [[place for place in others if _is_called(table.columns[place], name)][:1] for name in names] or of_kind
    if [] in fitting:
        wanted = f"called {names[fitting.index([])]!r}" if names else f"that is a {kind}"
        raise DatasetError(
            f"{table.path}, row {table.row}: no column {wanted} ({_UNITS}); found {table.shown}{_unsaid(table, time)}."
        )
    return [place for found in fitting for place in found]


def _is_called(column: Column, name: str) -> bool:
    readable = column.quantity in _BASE or not column.unit
    return readable and name.strip().lower() in (column.name.lower(), column.shown.lower())


def _unsaid(table: _Table, time: int) -> str:
    """Tell what to do about columns without a unit."""
    plain = [
        column.name for place, column in enumerate(table.columns) if place != time and column.name and not column.unit
    ]
    return f"; CHANNEL={plain[0]!r} reads that column as it is" if plain else ""


def _values(table: _Table, chosen: int, gaps: bool) -> np.ndarray:
    """Return the column's values; with `gaps` some may be missing."""
    values, width = np.empty(len(table.rows)), len(table.columns)
    for index, (row, cells) in enumerate(table.rows):
        if len(cells) != width:
            raise DatasetError(
                f"{table.path}, row {row}: expected {width} values, found {len(cells)}{_comma(table, cells)}."
            )
        try:
            values[index] = table.dialect.number(cells[chosen])
        except ValueError:
            raise DatasetError(f"{table.path}, row {row}: {cells[chosen]!r} is not a number.") from None
        if not (gaps or np.isfinite(values[index])):
            raise DatasetError(f"{table.path}, row {row}: a value is not finite.")
    if len(values) < 2:
        raise DatasetError(f"{table.path}: no samples after row {table.row}.")
    return values


def _stamps(table: _Table, time: int) -> _Stamps:
    texts = [cells[time] for _, cells in table.rows]
    return seconds_of(table.path, [row for row, _ in table.rows], texts, table.dialect, table.columns[time].unit)


def _comma(table: _Table, cells: Sequence[str]) -> str:
    doubled = table.dialect.separator == "," and len(cells) == 2 * len(table.columns)
    return (
        "; commas separate values here and begin their fractions: write it with semicolons or points" if doubled else ""
    )
