"""What others wrote, before any of it is believed: names of files, JSON, tars, how large it is, how long it takes."""

from __future__ import annotations

import gzip
import json
import os
import re
import reprlib
import signal
import tarfile
import unicodedata
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from microstage.errors import EnvironmentProblem, IntegrityError

__all__ = ["Bounded", "assert_room", "clashing", "inside", "is_plain", "parse_json", "shown", "tar", "within"]

_LONGEST_NAME, _LONGEST_PART = 1024, 255
_MOST_MEMBERS, _MOST_ENDS = 1 << 20, 4
_LARGEST_EXTENSION = 1 << 16  # of a header in front of a tar's member: a long name, and no more
_EXTENSIONS = (
    tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK,
)  # fmt: skip
# What the reader of a tar raises that somebody damaged or made up.
_BROKEN = (
    tarfile.TarError, zlib.error, gzip.BadGzipFile, EOFError, ValueError, LookupError, ArithmeticError, RecursionError,
)  # fmt: skip
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
    """A name that is a folder of another, or differs from one in case alone; None if each has its own place anywhere."""
    places = [unicodedata.normalize("NFC", name).casefold() for name in names]
    folders = {place[: found.start()] for place in places for found in re.finditer("/", place)}
    known: set[str] = set()
    for name, place in zip(names, places):
        if place in known or place in folders:
            return name
        known.add(place)
    return None


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


@contextmanager
def tar(stream: IO[bytes], mode: str = "r|") -> Iterator[tarfile.TarFile]:
    """A tar of somebody's to be read member by member; whatever is wrong with it is an `IntegrityError`.

    Names and kinds are the caller's to look at, with `inside` and `is_plain`.
    """
    try:
        with tarfile.open(fileobj=stream, mode=mode, tarinfo=_Member) as archive:
            yield archive
    except _BROKEN as error:
        raise IntegrityError(f"What came is no whole archive: {error or 'it ends too early'}.") from None


def is_plain(member: tarfile.TarInfo) -> bool:
    """Whether a member is a file, all of whose bytes are in the tar."""
    return member.isreg() and not member.issparse()


class _Member(tarfile.TarInfo):
    """A member in front of which stands no header that fills the memory, and no map of a sparse file."""

    @classmethod
    def fromtarfile(cls, archive: tarfile.TarFile) -> tarfile.TarInfo:
        try:
            return super().fromtarfile(archive)
        except tarfile.EOFHeaderError:  # two empty blocks: its end; anything else is taken for that, too, if it is let out
            raise
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(str(error)) from None

    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        if self.type in _EXTENSIONS and self.size > _LARGEST_EXTENSION:
            raise tarfile.ReadError(f"a header has {self.size} bytes")
        if len(archive.members) > _MOST_MEMBERS:
            raise tarfile.ReadError(f"it has more than {_MOST_MEMBERS} members")
        return super()._proc_member(archive)

    def _block(self, count: int) -> int:
        if count < 0:
            raise tarfile.ReadError("a size is below zero")
        return super()._block(count)

    def _sparse(self, *_: object) -> None:
        raise tarfile.ReadError("it holds a sparse file")

    _proc_sparse = _proc_gnusparse_00 = _proc_gnusparse_01 = _proc_gnusparse_10 = _sparse
