"""Arrays of an .npz, of which no more is unpacked than it may hold: a header can declare anything."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

__all__ = ["arrays_of"]

_LARGEST = 1 << 31  # bytes, packed and unpacked


def arrays_of(path: Path, names: Sequence[str] | None = None, largest: int = _LARGEST) -> dict[str, np.ndarray]:
    """{name: array} of those called `names`, by default of all; `ValueError` says what is the matter."""
    try:
        if path.stat().st_size > largest:
            raise ValueError(f"it has {path.stat().st_size} bytes, and at most {largest} are read")
        with zipfile.ZipFile(path) as archive:
            members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
            chosen = {name: members[name] for name in (members if names is None else names)}
            unpacked = sum(info.file_size for info in chosen.values())
            if unpacked > largest:
                raise ValueError(f"its arrays unpack to {unpacked} bytes, and at most {largest} are read")
            return {name: _array(archive.read(info), name) for name, info in chosen.items()}
    except KeyError as error:
        raise ValueError(f"it holds no array {error}") from None
    except (OSError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(str(error) or type(error).__name__) from None


def _array(content: bytes, name: str) -> np.ndarray:
    try:
        return np.lib.format.read_array(io.BytesIO(content), allow_pickle=False)
    except MemoryError:  # nothing was written there yet
        raise ValueError(f"{name} declares more values than there is memory for, in {len(content)} bytes") from None
