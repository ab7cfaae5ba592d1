"""Tars that others wrote, read one member at a time: bounded in members and headers, and whole, or an error."""

from __future__ import annotations

import gzip
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Literal

from microstage.errors import IntegrityError
from microstage.untrusted.bounds import Readable

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["content_of", "is_plain", "tar"]

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
def tar(stream: Readable, mode: Literal["r|", "r:"] = "r|") -> Iterator[tarfile.TarFile]:
    """A tar of somebody's to be read member by member; whatever is wrong with it is an `IntegrityError`.

    Names and kinds are the caller's to look at, with `inside` and `is_plain`.
    """
    try:
        # A stream that is read from front to back, "r|", needs to have `read` alone.
        with tarfile.open(fileobj=stream, mode=mode, tarinfo=_Member) as archive:  # type: ignore[call-overload]
            yield archive
    except _BROKEN as error:
        raise IntegrityError(f"What came is no whole archive: {error or 'it ends too early'}.") from None


def is_plain(member: tarfile.TarInfo) -> bool:
    """Tell whether a member is a file, all of whose bytes are in the tar."""
    return member.isreg() and not member.issparse()


def content_of(archive: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    """Open what a file in `archive` holds; `IntegrityError` for a member that is no file."""
    found = archive.extractfile(member)
    if found is None:
        raise IntegrityError(f"{member.name} in the archive is no file.")
    return found


class _Member(tarfile.TarInfo):
    """A member in front of which stands no header that fills the memory, and no map of a sparse file.

    What mypy is told to ignore here is in no stub: methods and names of `tarfile` that its documentation leaves out.
    """

    @classmethod
    def fromtarfile(cls, archive: tarfile.TarFile) -> Self:
        try:
            return super().fromtarfile(archive)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
            raise  # two empty blocks, the end; any other error would be taken for the end, too, if it were let out
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(str(error)) from None

    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        if self.type in _EXTENSIONS and self.size > _LARGEST_EXTENSION:
            raise tarfile.ReadError(f"a header has {self.size} bytes")
        if len(archive.members) > _MOST_MEMBERS:  # type: ignore[attr-defined]
            raise tarfile.ReadError(f"it has more than {_MOST_MEMBERS} members")
        return super()._proc_member(archive)  # type: ignore[misc]

    def _block(self, count: int) -> int:
        if count < 0:
            raise tarfile.ReadError("a size is below zero")
        return super()._block(count)  # type: ignore[misc]

    def _sparse(self, *_: object) -> None:
        raise tarfile.ReadError("it holds a sparse file")

    _proc_sparse = _proc_gnusparse_00 = _proc_gnusparse_01 = _proc_gnusparse_10 = _sparse
