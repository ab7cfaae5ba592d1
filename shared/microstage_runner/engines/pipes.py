"""The ends of the pipes to a process that was started with them."""

from __future__ import annotations

from typing import IO, AnyStr

__all__ = ["end_of"]


def end_of(stream: IO[AnyStr] | None) -> IO[AnyStr]:
    """Return `process.stdin` or `process.stdout`, which is None only of a process that was started without it."""
    if stream is None:
        raise ValueError("the process was started without this pipe")
    return stream
