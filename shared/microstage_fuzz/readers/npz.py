"""Arrays of the user's: an .npz as it is and with right checksums, or an .npy."""

from __future__ import annotations

from pathlib import Path

from microstage.errors import ModelError
from microstage.untrusted.npz import array_or_arrays_of
from microstage_fuzz.readers.zips import fitted
from microstage_streamline.prove.vectors import read_golden

__all__ = ["read"]


def read(data: bytes, folder: Path) -> None:
    """Read `data` as arrays, and as golden vectors."""
    for number, content in enumerate(filter(None, (data, fitted(data)))):
        path = folder / f"{number}.npz"
        path.write_bytes(content)
        try:
            array_or_arrays_of(path)
        except ValueError as error:  # what the function promises; its callers make a sentence of it
            if not str(error):
                raise
        try:
            read_golden(path)
        except ModelError:
            pass
