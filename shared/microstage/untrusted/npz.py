"""Arrays of an .npz or .npy, of which no more is unpacked than it may hold: a header can declare anything."""

from __future__ import annotations

import io
import math
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from microstage.untrusted.exceptions import translated
from microstage.untrusted.limits import MOST_UNPACKED

__all__ = ["array_or_arrays_of", "arrays_of"]

_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def arrays_of(path: Path, names: Sequence[str] | None = None, largest: int = MOST_UNPACKED) -> dict[str, np.ndarray]:
    """Return {name: array} of those called `names`, by default of all; `ValueError` says what is the matter."""
    try:
        _assert_small(path, largest)
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


def array_or_arrays_of(path: Path, largest: int = MOST_UNPACKED) -> dict[str, np.ndarray]:
    """Return as `arrays_of` does; the array of an .npy has no name: ""."""
    try:
        with path.open("rb") as handle:
            named = handle.read(len(np.lib.format.MAGIC_PREFIX)) != np.lib.format.MAGIC_PREFIX
        if named:
            return arrays_of(path, largest=largest)
        _assert_small(path, largest)
        return {"": _array(path.read_bytes(), "it")}
    except OSError as error:
        raise ValueError(str(error)) from None


def _assert_small(path: Path, largest: int) -> None:
    if path.stat().st_size > largest:
        raise ValueError(f"it has {path.stat().st_size} bytes, and at most {largest} are read")


def _array(content: bytes, name: str) -> np.ndarray:
    """Return a plain array, if its header says as many values as there are.

    NumPy would make room for them before it looks.
    """
    with translated(ValueError):
        handle = io.BytesIO(content)
        version = np.lib.format.read_magic(handle)
        if version not in _HEADERS:
            raise ValueError(f"{name} is of version {version} of its format")
        shape, _, kind = _HEADERS[version](handle)
        if kind.hasobject or math.prod(shape) * kind.itemsize != len(content) - handle.tell():
            raise ValueError(f"{name} holds no plain array of the shape {shape} that it says")
        return np.lib.format.read_array(io.BytesIO(content), allow_pickle=False)
