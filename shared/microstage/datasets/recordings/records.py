"""Recordings of one's own: COMTRADE (.cfg with .dat, or .cff) and CSV, at any rate, 50 or 60 Hz.

A folder of recordings is one source per sub-folder, or one per file where files lie in the folder itself. Each record
is resampled to its own mains frequency and cut into blocks of 10 (50 Hz) or 12 (60 Hz) cycles, whose DFT is the ground
truth of IEC 61000-4-7; a record shorter than one block is one block of as many whole cycles as it has.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from microstage.datasets.power.splits import Recording
from microstage.datasets.recordings import comtrade_file, csv_file
from microstage.datasets.recordings.decoding import abridged
from microstage.datasets.recordings.waveform import Channel, Waveform
from microstage.errors import DatasetError
from microstage.signals import SAMPLES_PER_CYCLE, harmonic_coefficients
from microstage.signals.synchronous import fundamental_frequency, synchronise

__all__ = ["Channel", "Waveform", "channels", "read", "read_waveform", "records"]

_BLOCK_CYCLES = {50: 10, 60: 12}
_READERS = dict.fromkeys((".cfg", ".cff"), comtrade_file.channels) | dict.fromkeys((".csv", ".tsv"), csv_file.channels)


def records(folder: Path) -> list[Path]:
    """Return every CSV and COMTRADE configuration under `folder`, sorted."""
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in _READERS and path.is_file())


def channels(path: Path, kind: str | None, names: Sequence[str] = (), gaps: bool = False) -> list[Channel]:
    """Return the channels of one file: every "current" or "voltage", or those called `names`, or simply all.

    `DatasetError` says file, row, reason, when the file or a channel is read. Missing samples are an error, or NaN
    where `gaps` are allowed.
    """
    with _abridged():
        found = _READERS[path.suffix.lower()](path, kind, names, gaps)
    return [Channel(channel.name, partial(_held, path, channel)) for channel in found]


def _held(path: Path, channel: Channel) -> Waveform:
    with _abridged():
        waveform = channel.read()
    waveform.assert_held(str(path))
    return waveform


@contextmanager
def _abridged() -> Iterator[None]:
    try:
        yield
    except DatasetError as error:
        raise DatasetError(abridged(str(error))) from None


def read_waveform(path: Path, channel: str | None, name: str | None = None, gaps: bool = False) -> Waveform:
    """Return one channel of one file: the first "current" or "voltage", or the one called `name`."""
    return channels(path, channel, () if name is None else (name,), gaps)[0].read()


def read(path: Path, folder: Path, channel: str, frequency: int) -> list[Recording]:
    """Return the blocks of one file, in order."""
    waveform = read_waveform(path, channel)
    try:
        mains = fundamental_frequency(waveform.samples, waveform.rate, frequency)
        samples = synchronise(waveform.samples, waveform.rate, mains)
    except DatasetError as error:
        raise DatasetError(f"{path}: {error}") from None
    cycles = min(_BLOCK_CYCLES[frequency], len(samples) // SAMPLES_PER_CYCLE)
    length = cycles * SAMPLES_PER_CYCLE
    blocks = samples[: len(samples) // length * length].reshape(-1, length)
    inside = path.relative_to(folder)
    source = inside.parts[0] if len(inside.parts) > 1 else inside.stem
    return [
        Recording(source, f"{inside}[{k}]", b, harmonic_coefficients(b, cycles), periodic=False)
        for k, b in enumerate(blocks)
    ]
