"""Tars that others wrote, read one member at a time: bounded in members and headers, and whole, or an error."""

from __future__ import annotations

import gzip
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from microstage.errors import IntegrityError

__all__ = ["is_plain", "tar"]

_MOST_MEMBERS = 1 << 20
_LARGEST_EXTENSION = 1 << 16  # of a header in front of a member: a long name, and no more
_EXTENSIONS = (
    tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK,
)  # fmt: skip
# What the reader of a tar raises that somebody damaged or made up.
_BROKEN = (
    tarfile.TarError, zlib.error, gzip.BadGzipFile, EOFError, ValueError, LookupError, ArithmeticError, RecursionError,
)  # fmt: skip


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
        except (
            tarfile.EOFHeaderError
        ):  # two empty blocks: its end; anything else is taken for that, too, if it is let out
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
