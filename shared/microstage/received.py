"""What others wrote, before any of it is believed: names of files, JSON, how large it is, how long it takes."""

from __future__ import annotations

import json
import os
import re
import reprlib
import signal
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import IO, Any

from microstage.errors import EnvironmentProblem, IntegrityError

__all__ = ["Bounded", "assert_room", "clashing", "inside", "parse_json", "shown", "within"]

_LONGEST_NAME, _LONGEST_PART = 1024, 255
_MOST_ENDS = 4
_SHORT = reprlib.Repr()
_SHORT.maxlevel, _SHORT.maxstring, _LONGEST_SHOWN = 2, 120, 160


def inside(name: Any) -> bool:
    """Whether `name` is a file's path below a folder, on any system, that can be printed."""
    if not isinstance(name, str) or len(name) > _LONGEST_NAME or not name.isprintable():
        return False
    parts = name.split("/")
    short = all(len(part.encode()) <= _LONGEST_PART for part in parts)
    return short and not {"", ".", ".."} & {*parts} and "\\" not in name and not re.match("[A-Za-z]:", name)


def clashing(names: Iterable[str]) -> str | None:
    """A name that lies below another, or differs from one in case alone; None if each has its own place anywhere."""
    places = sorted((unicodedata.normalize("NFC", name).casefold().split("/"), name) for name in names)
    return next((name for (above, _), (place, name) in pairwise(places) if place[: len(above)] == above), None)


def shown(value: Any) -> str:
    """`value` as a sentence may quote it: control characters escaped, and not all of it where it is long or deep."""
    text = _SHORT.repr(value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."


def parse_json(text: bytes | str) -> Any:
    """The value of a JSON text; `ValueError` for whatever is none, too deep a nesting among it."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def assert_room(folder: Path, size: int, files: int) -> None:
    """`EnvironmentProblem` unless the disk of `folder` has room for `size` bytes in so many files."""
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


class Bounded:
    """A stream to be read that ends with `IntegrityError` behind its first `largest` bytes.

    Whoever reads on where there is nothing more is stopped as well: a tar's reader would skip so through terabytes.
    """

    def __init__(self, stream: IO[bytes], largest: int) -> None:
        self._stream, self._largest, self._left, self._ends = stream, largest, largest, 0

    def read(self, size: int) -> bytes:
        block = self._stream.read(size)
        self._left -= len(block)
        self._ends += not block
        if self._left < 0:
            raise IntegrityError(f"What came has more than {self._largest >> 20} MiB.")
        if self._ends > _MOST_ENDS:
            raise IntegrityError("What came ends too early.")
        return block
