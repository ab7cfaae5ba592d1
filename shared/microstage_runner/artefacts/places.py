"""What is half done on a volume: places under `.partial/`, each held by the lock of its name under `.locks/`.

A key's place outlives a killed run, so that the next one goes on in it; any other is gone with its process. What dead
processes left is collected when a stage is made: under the lock of each place, and only if that is free. Nobody
waits for a second lock but in this order: a key's, an environment's or an image's, that of the bases.
"""

from __future__ import annotations

import os
import shutil
import weakref
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from microstage.errors import EnvironmentProblem
from microstage.files.locking import if_free, locked

__all__ = ["NOTE", "Place", "clear", "collect", "hold"]

NOTE = "about.json"  # in the place of a run that can be gone on with
_PLACES, _LOCKS = ".partial", ".locks"


@contextmanager
def hold(path: Path) -> Iterator[None]:
    """Hold the lock `path`, another holder of which is waited for; refuse a file system that keeps no locks."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        try:
            stack.enter_context(locked(path))
            with if_free(path) as free:
                kept = not free
        except OSError as error:
            if error.filename is not None:  # of opening the file
                raise
            kept = False
        if not kept:
            raise EnvironmentProblem(
                f"The file system of {path.parent} keeps no locks (flock), so two runs could spoil each other's work;"
                " choose a VOLUMES= on another."
            )
        yield


class Place:
    """A new folder for what `kind` says, gone when this object is."""

    def __init__(self, volumes: Path, kind: str) -> None:
        name = f"{kind}-{os.urandom(8).hex()}"
        self.folder, lock = volumes / _PLACES / name, volumes / _LOCKS / name
        stack = ExitStack()
        stack.enter_context(hold(lock))  # before there is anything to collect
        stack.callback(_let_go, lock)
        stack.callback(clear, self.folder)
        self.folder.mkdir(parents=True)
        self._end = weakref.finalize(self, stack.close)

    def __enter__(self) -> Path:
        return self.folder

    def __exit__(self, *_: object) -> None:
        self._end()


def collect(volumes: Path) -> None:
    """Remove what dead processes left: unfinished outputs, and every place that no run can go on in."""
    for place in sorted((volumes / _PLACES).glob("*")):
        lock = volumes / _LOCKS / place.name
        with suppress(OSError), if_free(lock) as free:  # OSError: another user's
            if free:
                _collect_one(volumes, place, lock)


def _collect_one(volumes: Path, place: Path, lock: Path) -> None:
    stage, _, key = place.name.rpartition("-")
    if (place / NOTE).exists() and not (volumes / stage / key).exists():
        clear(place / "out")
    else:
        clear(place)
        lock.unlink()


def _let_go(lock: Path) -> None:
    """Remove the lock of a place that is gone; on a volume that cannot be written to any more, the next run does."""
    with suppress(OSError):
        lock.unlink(missing_ok=True)


def clear(path: Path) -> None:
    """Remove a file or a folder, whichever it is, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
