"""Files of a dataset, of which no more is taken into memory than a recording or a set of images has."""

from __future__ import annotations

from pathlib import Path

from microstage.errors import DatasetError

__all__ = ["LARGEST", "content_of", "lines_of"]

LARGEST = 1 << 28  # bytes
_MOST_LINES = 1 << 22
_ENDS = ("\n", "\r", "\v", "\f", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029")


def content_of(path: Path) -> bytes:
    """Return all bytes of a file; `DatasetError` for one that cannot be read, or has too many."""
    try:
        with path.open("rb") as file:
            content = file.read(min(path.stat().st_size, LARGEST) + 1)
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error}.") from None
    if len(content) > LARGEST:
        raise DatasetError(f"{path} has more than {LARGEST >> 20} MiB, which are not read: cut it into several files.")
    return content


def lines_of(path: Path, text: str) -> list[str]:
    """Return the lines of `text`; `DatasetError` that names `path` for too many."""
    ends = sum(map(text.count, _ENDS))
    if ends > _MOST_LINES:
        raise DatasetError(f"{path} has {ends} lines, and at most {_MOST_LINES} are read: cut it into several files.")
    return text.splitlines()
