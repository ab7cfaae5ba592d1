"""COMTRADE records (IEEE C37.111-1991, 1999, 2013; ASCII, BINARY, BINARY32, FLOAT32), read by the `comtrade` package."""

from __future__ import annotations

import math
import struct
from pathlib import Path

import numpy as np

from microstage.datasets.units import factor, quantity
from microstage.errors import DatasetError

__all__ = ["read"]

_BYTES = {"BINARY": 2, "BINARY32": 4, "FLOAT32": 4}


def read(path: Path, channel: str, name: str | None = None, gaps: bool = False) -> tuple[np.ndarray, float]:
    """(samples [L] in A or V, rate in Hz) of the .cfg `path` and the .dat beside it; values as recorded, primary or secondary.

    A missing sample (99999 in text, 0x8000 in binary, or none) is a `DatasetError`, or NaN where `gaps` are allowed.
    """
    data = _beside(path)
    record = _load(path, data)
    rate, length = _rate(path, record)
    _complete(data, record, length)
    chosen = _choose(path, record, channel, name)
    samples = np.asarray(record.analog[chosen], dtype=np.float64)[:length]
    bad = np.flatnonzero(~np.isfinite(samples))
    if len(bad) and not gaps:
        raise DatasetError(f"{data}, row {bad[0] + 1}: the sample of {record.analog_channel_ids[chosen]} is missing.")
    return samples * factor(record.cfg.analog_channels[chosen].uu), rate


def _load(path: Path, data: Path):
    from comtrade import Cfg, Comtrade, ComtradeError

    record = Comtrade(use_numpy_arrays=True, use_double_precision=True, ignore_warnings=True)
    try:
        configuration = path.read_text()
        described = Cfg(ignore_warnings=True)
        described.read(configuration)
        record.read(configuration, _timed(data.read_text()) if described.ft.upper() == "ASCII" else data.read_bytes())
    except (ComtradeError, ValueError, IndexError, TypeError, OSError, struct.error) as error:
        raise DatasetError(f"{path}: not a readable COMTRADE record: {str(error) or type(error).__name__}.") from None
    return record


def _timed(text: str) -> str:
    """Time stamps may be left out where the rate is given; the package wants a number there and does not use it."""
    rows = [line.split(",") for line in text.splitlines() if line.strip(" \x1a")]
    return "\n".join(",".join([row[0], row[1].strip() or "0", *row[2:]]) if len(row) > 2 else ",".join(row) for row in rows)


def _beside(path: Path) -> Path:
    found = [other for other in path.parent.glob(f"{path.stem}.*") if other.suffix.lower() == ".dat"]
    if not found:
        raise DatasetError(f"{path}: its data file {path.stem}.dat is missing.")
    return found[0]


def _rate(path: Path, record) -> tuple[float, int]:
    rates = record.cfg.sample_rates
    if len(rates) != 1 or not (math.isfinite(rates[0][0]) and rates[0][0] > 0):
        raise DatasetError(f"{path}: {len(rates)} sampling rates ({rates}); expected one, above zero.")
    if rates[0][1] < 2:
        raise DatasetError(f"{path}: it declares {rates[0][1]} samples.")
    return float(rates[0][0]), int(rates[0][1])


def _complete(data: Path, record, length: int) -> None:
    """Fewer samples than declared would be read as zeros."""
    kind = record.ft.upper()
    if kind == "ASCII":
        found = sum(1 for line in data.read_text().splitlines() if line.strip(" \x1a"))
    else:
        width = 8 + _BYTES[kind] * record.analog_count + 2 * math.ceil(record.status_count / 16)
        found = data.stat().st_size // width
    if found < length:
        raise DatasetError(f"{data}, row {found + 1}: the file ends after {found} of {length} samples; it is truncated.")


def _choose(path: Path, record, channel: str, name: str | None) -> int:
    known = [(c.name.strip(), c.uu.strip()) for c in record.cfg.analog_channels]
    fitting = [k for k, (_, unit) in enumerate(known) if quantity(unit) == channel]
    if name is not None:
        fitting = [k for k in fitting if known[k][0].lower() == name.lower()]
    if not fitting:
        wanted = f"called {name!r} that is a {channel}" if name else f"that is a {channel}"
        raise DatasetError(f"{path}: no channel {wanted}; found {', '.join(f'{n} ({u})' for n, u in known)}.")
    return fitting[0]
