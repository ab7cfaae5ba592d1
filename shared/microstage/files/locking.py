"""Files locked with `flock`: the kernel frees them when their process ends, however it does."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

__all__ = ["if_free", "locked"]


@contextmanager
def locked(path: Path) -> Iterator[BinaryIO]:
    """The file `path`, made where it is missing and held alone; another holder is waited for."""
    while True:
        with _opened(path) as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            if _is_at(path, handle):  # else it was renamed or removed while this waited
                yield handle
                return


@contextmanager
def if_free(path: Path) -> Iterator[bool]:
    """Whether nobody holds `path`; if so, it is held within."""
    with _opened(path) as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield _is_at(path, handle)


def _opened(path: Path) -> BinaryIO:
    return open(os.open(path, os.O_RDWR | os.O_CREAT, 0o666), "r+b")


def _is_at(path: Path, handle: BinaryIO) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(handle.fileno()))
    except FileNotFoundError:
        return False
