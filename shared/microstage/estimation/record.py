"""The channels of a recording at 64 samples for each cycle of its mains: one frequency for all, of the clearest one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from microstage.datasets.recordings.records import Channel, Waveform, channels
from microstage.errors import DatasetError
from microstage.signals.synchronous import fundamental_frequency, place, synchronise_around_gaps

__all__ = ["KINDS", "NOMINALS", "Record", "Synchronous", "read"]

NOMINALS = (50, 60)
KINDS = ("current", "voltage")
_APART = 0.05  # of a cycle over the whole record, and
_OTHER = 0.001  # of the mains: what two measured frequencies of one mains may differ by
_CLEAR = 0.9  # share of a channel's energy from which its own frequency is believed: that of an inrush is not


@dataclass(frozen=True)
class Synchronous:
    """A channel at 64 samples a cycle of `mains` Hz.

    `samples` [L]; `known` [L] says of each whether all behind it was recorded.
    """

    source: Waveform
    mains: float
    samples: np.ndarray
    known: np.ndarray

    @classmethod
    def of(cls, source: Waveform, mains: float) -> Synchronous:
        return cls(source, mains, *synchronise_around_gaps(source.samples, source.rate, mains))

    @property
    def missing(self) -> int:
        """How many samples were not recorded."""
        return int((~np.isfinite(self.source.samples)).sum())

    def time(self, index: np.ndarray) -> np.ndarray:
        """Return when sample `index` was, in s from the record's first; halves lie between two."""
        return place(index, self.source.rate / self.mains) / self.source.rate


@dataclass(frozen=True)
class Record:
    """`channels` that could be read, and {channel: why not} of those that could not."""

    channels: Sequence[Synchronous]
    refused: Mapping[str, str]
    nominal: int
    mains: float
    clearest: str


def read(path: Path, wanted: str, nominal: int | None) -> Record:
    """Return the channels `wanted`: "current", "voltage", names with commas between them, or "" for all.

    `nominal` is 50 or 60 Hz, or None where the record shall say. `DatasetError` where nothing of it can be read, or
    not what was named.
    """
    names = () if wanted in ("", *KINDS) else tuple(name.strip() for name in wanted.split(","))
    refused: dict[str, str] = {}
    found = _waveforms(
        channels(path, wanted if wanted in KINDS else None, names, gaps=True), None if names else refused
    )
    refused = {name: why.removeprefix(f"{path}: ") for name, why in refused.items()}
    if not found:
        raise DatasetError(f"{path}: no channel of it can be read: {next(iter(refused.values()), 'it has none')}")
    others = _waveforms(channels(path, None, gaps=True), {}) if wanted else []
    try:
        clearest, mains = _mains([*found, *others], nominal)
        synchronous = [Synchronous.of(waveform, _own(waveform, mains, nominal)) for waveform in found]
    except DatasetError as error:
        raise DatasetError(f"{path}, channel {found[0].name}: {error}") from None
    return Record(synchronous, refused, min(NOMINALS, key=lambda hertz: abs(hertz - mains)), mains, clearest)


def _waveforms(listed: Sequence[Channel], refused: dict[str, str] | None) -> list[Waveform]:
    """Return the waveform of each channel, by names of their own.

    Why not goes into `refused`, or is raised as it is where that is None.
    """
    found: list[Waveform] = []
    for channel in listed:
        try:
            found.append(_unlike(channel.read(), found))
        except DatasetError as error:
            if refused is None:
                raise
            refused[channel.name] = str(error)
    return found


def _unlike(waveform: Waveform, others: Sequence[Waveform]) -> Waveform:
    """Return `waveform`, called otherwise than `others`."""
    taken, name, number = {other.name for other in others}, waveform.name, 2
    while name in taken:
        name, number = f"{waveform.name} {number}", number + 1
    return replace(waveform, name=name)


def _mains(waveforms: Sequence[Waveform], nominal: int | None) -> tuple[str, float]:
    """Return (the channel with the largest share of mains, its frequency in Hz).

    Raise the first one's error where none has any.
    """
    reasons, best = [], ("", 0.0, -1.0)
    for waveform in waveforms:
        try:
            mains = _frequency(waveform, nominal)
        except DatasetError as error:
            reasons.append(error)
            continue
        best = max(best, (waveform.name, mains, _share(waveform, mains)), key=lambda found: found[2])
    if not best[1]:
        raise reasons[0]
    return best[:2]


def _frequency(waveform: Waveform, nominal: int | None) -> float:
    """Return the frequency in Hz; `DatasetError` for none, that of the first nominal one that was tried."""
    reasons = []
    for tried in (nominal,) if nominal else NOMINALS:
        try:
            return fundamental_frequency(waveform.samples, waveform.rate, tried)
        except DatasetError as error:
            reasons.append(error)
    raise reasons[0] if nominal else DatasetError(" ".join(dict.fromkeys(map(str, reasons))))


def _share(waveform: Waveform, mains: float) -> float:
    """Return what of the channel's energy, its mean left out, is the sine of `mains`."""
    known = np.isfinite(waveform.samples)
    x = waveform.samples[known] - waveform.samples[known].mean()
    turns = np.exp(-2j * np.pi * mains * np.flatnonzero(known) / waveform.rate)
    energy = float((x**2).sum())
    return min(2 * abs(turns @ x) ** 2 / len(x) / energy, 1.0) if energy else 0.0


def _own(waveform: Waveform, common: float, nominal: int | None) -> float:
    """Return the record's frequency, or the channel's own, where it clearly has another one."""
    try:
        own = _frequency(waveform, nominal)
    except DatasetError:
        return common
    drift = abs(own - common) * len(waveform.samples) / waveform.rate
    apart = drift > _APART and abs(own - common) > _OTHER * common and _share(waveform, own) > _CLEAR
    return own if apart else common
