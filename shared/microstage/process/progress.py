"""Progress of long work: a bar on a terminal, now and then a plain line in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TextIO, TypeVar

from microstage.untrusted.printable import printable

__all__ = ["progress"]

T = TypeVar("T")
_WIDTH = 30
_REDRAW_SECONDS = 0.1
_LINE_SECONDS = 10.0


def progress(items: Iterable[T], total: int, label: str, stream: TextIO | None = None) -> Iterator[T]:
    """Yield `items` while showing how many of `total` are done; the time shown is what is left at this pace."""
    stream, label = stream or sys.stderr, printable(label)
    report = _bar if stream.isatty() else _lines
    began = drawn = time.monotonic()
    for done, item in enumerate(items, 1):
        yield item
        drawn = report(stream, label, done, total, began, drawn)


def _bar(stream: TextIO, label: str, done: int, total: int, began: float, drawn: float) -> float:
    now = time.monotonic()
    if done < total and now - drawn < _REDRAW_SECONDS:
        return drawn
    filled = _WIDTH * done // max(total, 1)
    left = (now - began) / done * (total - done)
    end = "\n" if done >= total else ""
    stream.write(f"\r{label} [{'#' * filled}{'.' * (_WIDTH - filled)}] {done}/{total} {left:4.0f} s left{end}")
    stream.flush()
    return now


def _lines(stream: TextIO, label: str, done: int, total: int, began: float, drawn: float) -> float:
    now = time.monotonic()
    if done < total and now - drawn < _LINE_SECONDS:
        return drawn
    print(f"{label}: {done}/{total}, {now - began:.0f} s", file=stream, flush=True)
    return now
