"""Files that are written whole or not at all: beside, onto the disk, then renamed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from microstage.files.locking import locked

__all__ = ["half_made", "replacing", "write_whole"]


def write_whole(path: Path, data: bytes) -> None:
    """Put `data` in the place of what `path` holds; whatever fails, the old bytes are there, never half of the new."""
    with replacing(path) as handle:
        handle.write(data)


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Yield a file that takes the place of `path` once it is whole and on the disk.

    It lies beside, under one name that is locked while it is written: two writers follow one another, and what a killed
    one left behind is written over by the next. An `OSError` names `path`.
    """
    beside = path.with_name(f".{path.name}.part")
    try:
        with locked(beside) as handle, _gone_if_it_fails(beside):
            handle.truncate()
            yield handle
            handle.flush()
            os.fsync(handle.fileno())
            beside.replace(path)
    except OSError as error:
        error.filename = error.filename if error.filename not in (None, str(beside)) else str(path)
        raise


@contextmanager
def half_made(folder: Path) -> Iterator[Path]:
    """Yield an empty folder beside `folder` for what is on its way into that place; it is gone afterwards.

    Two writers follow one another, and what a killed one left behind is removed by the next.
    """
    part, lock = folder.with_name(f".{folder.name}.part"), folder.with_name(f".{folder.name}.lock")
    part.parent.mkdir(parents=True, exist_ok=True)
    with locked(lock):
        shutil.rmtree(part, ignore_errors=True)
        try:
            part.mkdir()
            yield part
        finally:
            shutil.rmtree(part, ignore_errors=True)
            lock.unlink()


@contextmanager
def _gone_if_it_fails(path: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        path.unlink(missing_ok=True)
        raise
