"""Standard output and error of our programs: a reader that goes away ends nothing, and no control character passes."""

from __future__ import annotations

import errno
import io
import os
import sys
from typing import TYPE_CHECKING

from microstage.untrusted.printable import printable

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

__all__ = ["drop", "guard"]

_LAYOUT = "\n\r\t"
_GONE = (errno.EPIPE, errno.EIO)  # of a pipe, of a terminal
_NAMES = {1: "standard output", 2: "standard error"}


def guard() -> None:
    """Put streams as above in the place of the interpreter's own; those that a caller chose stay."""
    _open_closed()
    for name, number in (("stdout", 1), ("stderr", 2)):
        stream = getattr(sys, name)
        if stream is getattr(sys, f"__{name}__"):
            setattr(sys, name, _guarded(stream, number))


def drop(number: int) -> None:
    """Let what is written to a file descriptor from now on go nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, number)
    os.close(nowhere)


def _open_closed() -> None:
    """Open the standard streams that are closed.

    So nothing that is opened later gets their numbers, which every program writes to.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)


def _guarded(stream: io.TextIOWrapper | None, number: int) -> io.TextIOWrapper:
    if stream is not None:
        stream.flush()
    return _Text(
        io.BufferedWriter(_Raw(number, "w", closefd=False)),
        encoding=getattr(stream, "encoding", "utf-8"),
        errors="backslashreplace",
        line_buffering=getattr(stream, "line_buffering", True),
        write_through=getattr(stream, "write_through", True),
    )


class _Text(io.TextIOWrapper):
    def write(self, text: str, /) -> int:
        super().write(printable(text, keep=_LAYOUT))
        return len(text)


class _Raw(io.FileIO):
    """What nobody reads any more is dropped, so that the work goes on."""

    def write(self, data: ReadableBuffer, /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            if error.errno not in _GONE:
                error.filename = _NAMES[self.fileno()]
                raise
            drop(self.fileno())
            return memoryview(data).nbytes
