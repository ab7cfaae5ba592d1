"""What every recording goes through, whatever its form."""

from __future__ import annotations

from pathlib import Path

from microstage.datasets.recordings.records import channels
from microstage.errors import DatasetError

__all__ = ["read_channels"]


def read_channels(path: Path) -> None:
    """Read every channel of the file, with gaps and without; `DatasetError` where nothing can be read."""
    for gaps in (True, False):
        for channel in channels(path, None, gaps=gaps):
            try:
                channel.read()
            except DatasetError:
                pass  # of one channel; the others have to be read all the same
