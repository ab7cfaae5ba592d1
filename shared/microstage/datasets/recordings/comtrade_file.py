"""COMTRADE records (IEEE C37.111-1991, 1999, 2013), in one file or two, read by the `comtrade` package.

ASCII, BINARY, BINARY32 and FLOAT32.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from microstage.datasets.recordings.comtrade_text import Configuration, parts_of_cff, tidy_cfg, tidy_rows, whole_rows
from microstage.datasets.recordings.csv_time import rate_of
from microstage.datasets.recordings.decoding import decode
from microstage.datasets.recordings.reading import content_of, lines_of
from microstage.datasets.recordings.units import ambiguous, factor, quantity
from microstage.datasets.recordings.waveform import Channel, Waveform
from microstage.errors import DatasetError

__all__ = ["channels", "data_beside"]

_LARGEST_FLOAT = 3.4e38
"What FLOAT32 writes for a sample that is missing is the largest of all."
_UNITS = {"current": "A", "voltage": "V"}
_WAYS = (ValueError, IndexError, KeyError, TypeError, OverflowError, OSError, struct.error)
"How a record that is none shows."


def channels(path: Path, kind: str | None, names: Sequence[str] = (), gaps: bool = False) -> list[Channel]:
    """Return the channels of the .cff `path`, or of the .cfg `path` and the .dat beside it, which is read once.

    All of the `kind` "current" or "voltage"; or those called `names`; or, with neither, every analog one. Values are as
    recorded, primary or secondary. A missing sample (99999 in text, 0x8000 in binary, or none) is a `DatasetError` when
    that channel is read, or NaN where `gaps` are allowed.
    """
    combined = path.suffix.lower() == ".cff"
    data = path if combined else data_beside(path)
    if data is None:
        raise DatasetError(f"{path}: its data file {path.stem}.dat is missing.")
    sought = next((name for name in names if not name.isascii()), None)
    try:
        configuration, content = parts_of_cff(content_of(path)) if combined else (content_of(path), content_of(data))
        described = tidy_cfg(decode(configuration, sought))
        _answerable(path, described)
        record = _record(data, described, content)
    except _WAYS as error:
        raise DatasetError(f"{path}: not a readable COMTRADE record: {str(error) or type(error).__name__}.") from None
    known = [(c.name.strip(), c.uu.strip()) for c in record.cfg.analog_channels]
    chosen = _choose(path, known, kind, names)
    return [Channel(known[k][0], partial(_waveform, path, data, described, record, k, gaps)) for k in chosen]


def _waveform(path: Path, data: Path, described: Configuration, record, chosen: int, gaps: bool) -> Waveform:
    said = record.cfg.analog_channels[chosen]
    name, unit = said.name.strip(), said.uu.strip()
    in_unit = _UNITS.get(quantity(unit) or "")
    if in_unit is None:
        mend = _per_unit([(name, unit)])
        raise DatasetError(f"{path}: {name} is in {unit or 'no unit'}, which is neither of A nor of V{mend}.")
    if ambiguous(unit):
        raise DatasetError(f"{path}: {name} is in {unit}, which may be mA or MA; write mA in it, or kA.")
    samples, remarks = _samples(path, record, chosen)
    bad = np.flatnonzero(~np.isfinite(samples))
    if len(bad) and not gaps:
        raise DatasetError(f"{data}, row {bad[0] + 1}: the sample of {name} is missing.")
    return Waveform(samples * factor(unit), _rate(data, described, record), in_unit, remarks, name)


def data_beside(path: Path) -> Path | None:
    """Return the .dat of a .cfg, whatever the case of the letters."""
    found = [
        other
        for other in path.parent.iterdir()
        if other.suffix.lower() == ".dat" and other.stem.lower() == path.stem.lower()
    ]
    return min(found, key=lambda other: (other.stem != path.stem, other.name), default=None)


def _answerable(path: Path, described: Configuration) -> None:
    if not described.analog:
        raise DatasetError(
            f"{path}: it has no analog channel, {described.status} of status; nothing in it is a waveform."
        )
    if len(described.rates) > 1:
        shown = ", ".join(f"{rate:g} Hz up to sample {end}" for rate, end in described.rates)
        raise DatasetError(
            f"{path}: {len(described.rates)} sampling rates ({shown}); expected one: cut it into records of one rate."
        )
    (rate, length), *_ = described.rates
    if not (np.isfinite(rate) and rate >= 0):
        raise DatasetError(f"{path}: a sampling rate of {rate:g} Hz; expected one above zero.")
    if length < 2:
        raise DatasetError(f"{path}: it declares {length} samples.")


def _record(data: Path, described: Configuration, content: bytes):
    """Return the package's record, of whole rows, as many as declared: fewer would be read as zeros."""
    from comtrade import Comtrade, ComtradeError

    length = described.rates[0][1]
    given: str | bytes
    if described.kind == "ASCII":
        rows = list(tidy_rows(lines_of(data, decode(content)), described))
        found, given = len(rows), "\n".join(rows)
    else:
        given, found = whole_rows(content, described)
    if found < length:
        raise DatasetError(
            f"{data}, row {found + 1}: the file ends after {found} of {length} samples; it is truncated."
        )
    record = Comtrade(use_numpy_arrays=True, use_double_precision=True, ignore_warnings=True)
    try:
        record.read(described.text, given)
    except ComtradeError as error:
        raise ValueError(str(error)) from None
    return record


def _samples(path: Path, record, chosen: int) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return (samples as the channel scales them, what to say of them)."""
    said = record.cfg.analog_channels[chosen]
    if not max(abs(said.a), abs(said.b)) <= _LARGEST_FLOAT:
        raise DatasetError(
            f"{path}: {said.name} has the multiplier {said.a:g} and the offset {said.b:g}; expected ordinary numbers."
        )
    samples = np.asarray(record.analog[chosen], dtype=np.float64)
    with np.errstate(all="ignore"):
        counts = (samples - said.b) / said.a
    samples[np.abs(counts) >= _LARGEST_FLOAT] = np.nan
    at_limit = int(np.isclose(counts, said.cmin, atol=0.25).sum() + np.isclose(counts, said.cmax, atol=0.25).sum())
    remarks = []
    if said.pors.upper() == "S" and said.primary != said.secondary:
        remarks.append(
            f"{said.name}: values are secondary, as recorded; primary ones are {said.primary:g}:{said.secondary:g} of "
            "them."
        )
    if said.cmin < said.cmax and at_limit > 1:
        remarks.append(
            f"{said.name}: {at_limit} samples lie at the limits of the converter; harmonics of a clipped wave are read."
        )
    return samples, tuple(remarks)


def _rate(data: Path, described: Configuration, record) -> float:
    """Return the rate in Hz, from the time stamps where none is declared."""
    if described.rates[0][0]:
        return described.rates[0][0]
    seconds = np.asarray(record.time, np.float64)
    return rate_of(
        data, range(1, len(seconds) + 1), seconds, np.full(len(seconds), record.cfg.time_base * record.cfg.timemult)
    )


def _choose(path: Path, known: list[tuple[str, str]], kind: str | None, names: Sequence[str]) -> list[int]:
    """Return which of the channels `known` by name and unit are meant.

    Of two of one name and a unit that fits, the first.
    """
    if not (kind or names):
        return list(range(len(known)))
    measured = [k for k, (_, unit) in enumerate(known) if quantity(unit) in ([kind] if kind else _UNITS)]
    fitting = [[k for k in measured if known[k][0].lower() == name.strip().lower()][:1] for name in names] or [measured]
    if [] in fitting:
        wanted = f"called {names[fitting.index([])]!r} in a unit of A or V" if names else f"that is a {kind}"
        raise DatasetError(
            f"{path}: no channel {wanted}; found {', '.join(f'{n} ({u})' for n, u in known)}{_per_unit(known)}."
        )
    return [k for found in fitting for k in found]


def _per_unit(known: list[tuple[str, str]]) -> str:
    if not any(unit.lower() in ("pu", "p.u.", "per unit", "") for _, unit in known):
        return ""
    return (
        "; of a channel per unit, or of none, write the unit that its multiplier is of (A, kA, V, kV) into the "
        "configuration"
    )
