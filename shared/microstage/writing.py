"""Files that are written whole or not at all: beside, onto the disk, then renamed."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

__all__ = ["replacing", "write_whole"]


def write_whole(path: Path, data: bytes) -> None:
    """Put `data` in the place of what `path` holds; whatever fails, the old bytes are there, never half of the new."""
    with replacing(path) as handle:
        handle.write(data)


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Yield a file that takes the place of `path` once it is whole and on the disk.

    It lies beside, under one name that is locked while it is written: two writers follow one another, and what a killed
    one left behind is written over by the next. An `OSError` names `path`.
    """
    beside = path.with_name(f".{path.name}.part")
    try:
        with _alone(beside) as handle:
            try:
                yield handle
                handle.flush()
                os.fsync(handle.fileno())
                beside.replace(path)
            except BaseException:
                beside.unlink(missing_ok=True)
                raise
    except OSError as error:
        error.filename = error.filename if error.filename not in (None, str(beside)) else str(path)
        raise


@contextmanager
def _alone(beside: Path) -> Iterator[BinaryIO]:
    """The file, emptied, which no one else writes; one that was renamed while this waited is opened anew."""
    while True:
        with open(os.open(beside, os.O_RDWR | os.O_CREAT, 0o666), "r+b") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            if _is_at(beside, handle):
                handle.truncate()
                yield handle
                return


def _is_at(path: Path, handle: BinaryIO) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(handle.fileno()))
    except FileNotFoundError:
        return False
