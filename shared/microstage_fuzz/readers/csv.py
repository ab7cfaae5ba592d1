"""A recording as a table."""

from __future__ import annotations

from pathlib import Path

from microstage_fuzz.readers.recordings import read_channels

__all__ = ["read"]


def read(data: bytes, folder: Path) -> None:
    """Read every channel of `data`."""
    path = folder / "record.csv"
    path.write_bytes(data)
    read_channels(path)
