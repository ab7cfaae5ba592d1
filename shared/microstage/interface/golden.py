"""Golden vectors: the integers that every stage carries forward and replays."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from microstage.errors import ArtefactError, VerificationError
from microstage.untrusted.npz import arrays_of

__all__ = ["FILE", "ComparedBoundary", "compare", "load", "save"]

FILE = "golden.npz"
_EPOCH = (1980, 1, 1, 0, 0, 0)


def save(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write an .npz with sorted members and no time stamps: equal arrays give equal bytes under one NumPy and zlib."""
    with zipfile.ZipFile(path, "w") as archive:
        for name in sorted(arrays):
            buffer = io.BytesIO()
            np.lib.format.write_array(buffer, np.ascontiguousarray(arrays[name]), version=(1, 0), allow_pickle=False)
            member = zipfile.ZipInfo(f"{name}.npy", _EPOCH)
            member.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(member, buffer.getvalue())


def load(path: Path, called: str = "") -> dict[str, np.ndarray]:
    """Return every array of an .npz.

    `ArtefactError` for a file that is missing or no .npz; its message says `called`, or else the path.
    """
    try:
        return arrays_of(path)
    except ValueError as error:
        raise ArtefactError(f"{called or path} holds no golden vectors: {error}; numpy.savez writes them.") from None


@dataclass(frozen=True)
class ComparedBoundary:
    """How many integers of one boundary were compared and found equal (all of them, or `compare` would have raised)."""

    boundary: str
    compared: int
    equal: int


def compare(boundary: str, expected: np.ndarray, found: np.ndarray) -> ComparedBoundary:
    """Compare bit by bit; `VerificationError` names tensor, place, expected and found value."""
    if expected.size == 0:
        raise VerificationError(f"At {boundary} there is nothing to compare.")
    if expected.shape != found.shape:
        raise VerificationError(f"At {boundary} the shape is {found.shape}, expected {expected.shape}.")
    wrong = np.argwhere(expected != found)
    if len(wrong):
        place = tuple(int(i) for i in wrong[0])
        raise VerificationError(
            f"At {boundary} {len(wrong)} of {expected.size} integers differ, first at {list(place)}:"
            f" expected {expected[place]}, found {found[place]}."
        )
    return ComparedBoundary(boundary, expected.size, expected.size)
