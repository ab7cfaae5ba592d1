"""EV-CPW: charging waveforms of electric vehicles, eight synchronous cycles a file.

Ziyat et al., "EV charging profiles and waveforms dataset (EV-CPW) and associated power quality analysis", IEEE Access
11 (2023). Four metadata lines, a header (time, voltage, current), 4096 rows. Resampled by the metadata (512 samples a
cycle to 64, exactly), never by the rounded rate. The 8-cycle DFT of a synchronous record equals the 12-cycle one that
61000-4-7 asks for, as eight synchronous cycles repeat exactly.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from microstage.datasets.power.splits import Recording
from microstage.datasets.recordings.reading import content_of, lines_of
from microstage.datasets.recordings.waveform import LARGEST
from microstage.errors import DatasetError
from microstage.signals import harmonic_coefficients, resample_synchronous

__all__ = ["COLUMNS", "read"]

COLUMNS = {"current": "Current (A)", "voltage": "Voltage (V)"}
_HEADER_ROW = 5
_CYCLES = 8
_HZ = 60.0
_RATE_TOLERANCE = 0.01  # the mains was within 0.2 % in all 72 files; another rate or frequency is far outside


def read(path: Path, channel: str) -> Recording:
    """Read one file, `samples` [512] in A or V; `DatasetError` names file, row and reason."""
    lines = _lines(path)
    per_cycle = _samples_per_cycle(path, lines)
    names = [name.strip() for name in lines[_HEADER_ROW - 1].split(",")]
    if COLUMNS[channel] not in names:
        raise DatasetError(
            f"{path}, row {_HEADER_ROW}: expected a column {COLUMNS[channel]!r}, found {', '.join(names)}."
        )
    samples = _column(path, lines[_HEADER_ROW:], names.index(COLUMNS[channel]), len(names))
    if len(samples) != _CYCLES * per_cycle:
        raise DatasetError(
            f"{path}, row {len(lines)}: the file ends after {len(samples)} samples, expected {_CYCLES} cycles"
            f" of {per_cycle}; it is truncated or not of EV-CPW."
        )
    resampled = resample_synchronous(samples, _CYCLES)
    return Recording(
        path.parent.name,
        f"{path.parent.name}/{path.stem}",
        resampled,
        harmonic_coefficients(samples, _CYCLES),
        periodic=True,
    )


def _lines(path: Path) -> list[str]:
    try:
        lines = lines_of(path, content_of(path).decode())
    except UnicodeDecodeError as error:
        raise DatasetError(f"{path} cannot be read: {error}.") from None
    if len(lines) <= _HEADER_ROW:
        raise DatasetError(f"{path}: expected {_HEADER_ROW} header rows and samples, found {len(lines)} rows.")
    return lines


def _samples_per_cycle(path: Path, lines: list[str]) -> int:
    """Return the cycle in samples, checked against the sampling period: together they are one cycle of 60 Hz."""
    row, text = _metadata(path, lines, "Samples_Per_Cycle")
    if not (text.isascii() and text.isdigit()) or int(text) < 64:
        raise DatasetError(
            f"{path}, row {row}: Samples_Per_Cycle is {text or 'empty'}, expected a whole number from 64."
        )
    row, period = _metadata(path, lines, "Microseconds_Per_Sample")
    try:
        cycles = int(text) * float(period) * 1e-6 * _HZ
    except ValueError:
        raise DatasetError(
            f"{path}, row {row}: Microseconds_Per_Sample is {period or 'empty'}, expected a number."
        ) from None
    if not abs(cycles - 1) <= _RATE_TOLERANCE:
        expected = 1e6 / _HZ / int(text)
        raise DatasetError(
            f"{path}, row {row}: Microseconds_Per_Sample is {period}, but {text} samples a cycle"
            f" at {_HZ:g} Hz are {expected:.3f} us apart; the rate is wrong."
        )
    return int(text)


def _metadata(path: Path, lines: list[str], wanted: str) -> tuple[int, str]:
    for row, line in enumerate(lines[: _HEADER_ROW - 1], 1):
        name, _, value = line.partition(",")
        if name.strip() == wanted:
            return row, value.strip()
    raise DatasetError(f"{path}: no {wanted} in its first {_HEADER_ROW - 1} rows.")


def _column(path: Path, rows: list[str], column: int, width: int) -> np.ndarray:
    values = np.empty(len(rows))
    for index, row in enumerate(rows):
        cells = row.split(",")
        number = _HEADER_ROW + 1 + index
        if len(cells) != width:
            raise DatasetError(f"{path}, row {number}: expected {width} values, found {len(cells)}.")
        try:
            values[index] = float(cells[column])
        except ValueError:
            raise DatasetError(f"{path}, row {number}: {cells[column]!r} is not a number.") from None
        if not abs(values[index]) <= LARGEST:
            raise DatasetError(
                f"{path}, row {number}: {cells[column].strip()} is not a sample; expected at most {LARGEST:.4g}."
            )
    return values
