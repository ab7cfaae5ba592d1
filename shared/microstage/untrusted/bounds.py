"""Bounds on what comes in from elsewhere: how much room it takes, how long it takes, how large it is."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from microstage.errors import EnvironmentProblem, IntegrityError

__all__ = ["BoundedStream", "Readable", "assert_room", "within"]

_MOST_ENDS = 4


def assert_room(folder: Path, size: int, files: int) -> None:
    """Raise `EnvironmentProblem` unless the disk of `folder` has room for `size` bytes in so many files."""
    disk = os.statvfs(folder)
    needed, free = size + files * disk.f_frsize, disk.f_bavail * disk.f_frsize  # each file ends in a block of its own
    if needed > free or (disk.f_files and files > disk.f_favail):
        raise EnvironmentProblem(
            f"{folder} has no room for {files} files of {needed >> 20} MiB: {free >> 20} MiB are free; make some,"
            " or choose another folder with VOLUMES=."
        )


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Raise `TimeoutError` in whatever takes longer, however busily it waits; of the main thread alone."""

    def late(*_: object) -> None:
        raise TimeoutError(f"it took longer than {seconds:.0f} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


class Readable(Protocol):
    """What can be read from front to back: a file, a pipe, what a packed file unpacks to."""

    def read(self, size: int, /) -> bytes:
        """Return the next `size` bytes, or as many as there are; none at the end."""


class BoundedStream:
    """A stream to be read that ends with `IntegrityError` behind its first `largest` bytes.

    Whoever reads on where there is nothing more is stopped as well: a tar's reader would skip so through terabytes.
    """

    def __init__(self, stream: Readable, largest: int) -> None:
        self._stream, self._largest, self._left, self._ends = stream, largest, largest, 0

    def read(self, size: int, /) -> bytes:
        block = self._stream.read(size)
        self._left -= len(block)
        self._ends += not block
        if self._left < 0:
            raise IntegrityError(f"What came has more than {self._largest >> 20} MiB.")
        if self._ends > _MOST_ENDS:
            raise IntegrityError("What came ends too early.")
        return block
