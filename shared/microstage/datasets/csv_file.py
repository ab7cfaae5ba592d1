"""CSV recordings: `#` comments and short `name,value` lines, a header with units, one row per sample.

    Time (ms),Voltage (V),Current (A)
    -16.64,-81.386,-2.291

The time column is called `time` with s, ms or us; any column whose unit is one of A or V is a channel.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from microstage.datasets.units import factor, quantity
from microstage.errors import DatasetError

__all__ = ["read"]

_SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6}
_LARGEST_GROWTH = 4  # a record that is mostly gap is refused as unevenly spaced
_COLUMN = re.compile(r"\s*(?P<name>[^(\[]*?)\s*[(\[](?P<unit>[^)\]]*)[)\]]\s*")


def read(path: Path, channel: str, name: str | None = None, gaps: bool = False) -> tuple[np.ndarray, float]:
    """(samples [L] in A or V, rate in Hz); `DatasetError` names file, row and reason.

    A cell that is empty or `nan` and a gap in time are errors too, or NaN at the samples that are missing where `gaps` are allowed.
    """
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path} cannot be read: {error}.") from None
    row, columns = _header(path, lines)
    time = next(k for k, (title, unit) in enumerate(columns) if title == "time")
    chosen = _choose(path, row, columns, channel, name)
    values = _values(path, lines, row, len(columns), time if gaps else None)
    if len(values) < 2:
        raise DatasetError(f"{path}: no samples after row {row}.")
    seconds = values[:, time] * _SECONDS[columns[time][1]]
    samples = values[:, chosen] * factor(columns[chosen][1])
    spread = _spread(samples, seconds) if gaps else None
    return spread or (samples, _rate(path, row, seconds))


def _header(path: Path, lines: list[str]) -> tuple[int, list[tuple[str, str]]]:
    """(row number, [(name, unit)]) of the first line that has a time column."""
    for row, line in enumerate(lines, 1):
        found = [_COLUMN.fullmatch(cell) for cell in line.split(",")]
        columns = [(m["name"].strip().lower(), m["unit"].strip()) if m else ("", "") for m in found]
        if any(title == "time" and unit in _SECONDS for title, unit in columns):
            return row, columns
    raise DatasetError(f"{path}: no header with a column 'time (s)', 'time (ms)' or 'time (us)' in {len(lines)} rows.")


def _choose(path: Path, row: int, columns: list[tuple[str, str]], channel: str, name: str | None) -> int:
    fitting = [k for k, (_, unit) in enumerate(columns) if quantity(unit) == channel]
    if name is not None:
        fitting = [k for k in fitting if columns[k][0] == name.lower()]
    if not fitting:
        wanted = f"called {name!r} in a unit of {channel}" if name else f"in a unit of {channel}"
        known = ", ".join(f"{title} ({unit})" for title, unit in columns)
        raise DatasetError(f"{path}, row {row}: no column {wanted} (A, mA, kA, V, mV, kV); found {known}.")
    return fitting[0]


def _values(path: Path, lines: list[str], header: int, width: int, gaps_beside: int | None = None) -> np.ndarray:
    """[rows, width]; with `gaps_beside` a column, the others may hold empty or `nan` cells."""
    values = np.empty((len(lines) - header, width))
    for index, line in enumerate(lines[header:]):
        cells = line.split(",")
        row = header + 1 + index
        if len(cells) != width:
            raise DatasetError(f"{path}, row {row}: expected {width} values, found {len(cells)}.")
        for column, cell in enumerate(cells):
            try:
                values[index, column] = float("nan" if gaps_beside is not None and not cell.strip() else cell)
            except ValueError:
                raise DatasetError(f"{path}, row {row}: {cell.strip()!r} is not a number.") from None
        finite = np.isfinite(values[index]) if gaps_beside is None else np.isfinite(values[index, gaps_beside])
        if not finite.all():
            raise DatasetError(f"{path}, row {row}: a value is not finite.")
    return values


def _spread(samples: np.ndarray, seconds: np.ndarray) -> tuple[np.ndarray, float] | None:
    """(samples with NaN where rows are missing, rate); None where no step is long, or the stamps are too coarse to tell."""
    steps = np.diff(seconds)
    usual = np.median(steps)
    regular = steps < 1.5 * usual
    if regular.all() or usual <= 0 or np.abs(steps[regular] / usual - 1).max() > 0.3:
        return None
    places = np.concatenate([[0], np.cumsum(np.maximum(np.rint(steps / steps[regular].mean()), 1))]).astype(int)
    if places[-1] > _LARGEST_GROWTH * len(samples):
        return None
    spread = np.full(places[-1] + 1, np.nan)
    spread[places] = samples
    return spread, float(1 / np.polyfit(places, seconds, 1)[0])


def _rate(path: Path, header: int, seconds: np.ndarray) -> float:
    """Samples per second over the whole record: single time stamps may be rounded, none may run back or leave a gap."""
    period = (seconds[-1] - seconds[0]) / (len(seconds) - 1)
    steps = np.diff(seconds)
    if period <= 0 or (steps < 0).any():
        raise DatasetError(f"{path}, row {header + 2 + int(np.argmin(steps))}: time does not run forward.")
    astray = np.abs(seconds - seconds[0] - period * np.arange(len(seconds)))
    if astray.max() > 1.5 * period:
        row = header + 1 + int(np.argmax(astray > 1.5 * period))
        raise DatasetError(f"{path}, row {row}: the samples are not evenly spaced; some are missing or the rate changes.")
    return float(1 / period)
