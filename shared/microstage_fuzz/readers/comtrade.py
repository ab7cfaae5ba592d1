"""A recording in COMTRADE: one file, and the same as two."""

from __future__ import annotations

from pathlib import Path

from microstage.datasets.recordings.comtrade_text import parts_of_cff
from microstage.errors import MicrostageError
from microstage_fuzz.readers.recordings import read_channels

__all__ = ["read"]


def read(data: bytes, folder: Path) -> None:
    """Read every channel of `data`."""
    path = folder / "record.cff"
    path.write_bytes(data)
    refused: MicrostageError | None = None
    try:
        read_channels(path)
    except MicrostageError as error:
        refused = error
    try:
        configuration, content = parts_of_cff(data)
    except ValueError:
        configuration, content = data, b""
    (folder / "record.cfg").write_bytes(configuration)
    (folder / "record.dat").write_bytes(content)
    read_channels(folder / "record.cfg")
    if refused:
        raise refused
