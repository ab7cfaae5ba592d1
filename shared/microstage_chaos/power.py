"""A machine that loses power: every process is gone, and what was written and not synced is lost.

The volume is left as a file system may leave it that keeps what POSIX promises and no more: the bytes of a file are
safe once it is synced, an entry of a folder once the folder is. Of a folder's later entries, some first ones stay.
"""

from __future__ import annotations

import os
import random
import shutil
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from microstage_chaos.fault import run_of
from microstage_chaos.ground import Ground, Sandbox, contents
from microstage_chaos.outcome import Lost
from microstage_chaos.shim import Entry

__all__ = ["PowerLoss", "lose"]


@dataclass
class PowerLoss:
    """Power goes at some call of a run, the first of its stages published or none."""

    alone: bool = False
    name: str = "power"
    title: str = "power lost at a system call, unsynced writes gone"
    _calls: dict[tuple[str, int], int] = field(default_factory=dict)

    def count(self, ground: Ground) -> int:
        return 300

    def attempt(self, ground: Ground, rng: random.Random, number: int) -> None:
        run = run_of(ground, number)
        done = rng.randrange(len(run.artefacts))
        calls = self._calls.get((run.family.name, done)) or self._measure(ground, number, done)
        with ground.sandbox(run, done) as box:
            shim = box.watched(rng.randint(1, calls), "power")
            end = box.make(around=shim.environment())
            lose(box.volumes, shim.journal, rng)
            _assert_kept(box, end.out)
            box.assert_recovers()

    def _measure(self, ground: Ground, number: int, done: int) -> int:
        run = run_of(ground, number)
        with ground.sandbox(run, done) as box:
            shim = box.watched()
            box.make(around=shim.environment()).assert_done()
            return self._calls.setdefault((run.family.name, done), shim.calls)


def _assert_kept(box: Sandbox, said: str) -> None:
    """Raise `Lost` where a stage said that it was done, and its artefact is not there in whole."""
    for stage, recorded in box.run.artefacts.items():
        if f"{stage}: done in " in said and contents(recorded) != contents(box.artefact(stage)):
            raise Lost(f"{stage} said that it was done, and is not whole after the loss")


def lose(volumes: Path, journal: Sequence[Entry], rng: random.Random) -> None:
    """Take from a volume what its writers' journal does not say is on the disk."""
    for place in sorted(_lost_entries(journal, rng), reverse=True):
        _undo(journal[place])
    for path in list(_unsynced(volumes, journal)):
        _spoil(path, rng)


def _unsynced(volumes: Path, journal: Sequence[Entry]) -> Iterator[Path]:
    """Yield each file that was written to after it was synced last."""
    dirty = {}
    for entry in journal:
        if entry.what in "WS":
            dirty[entry.inode] = entry.what == "W"
    for path in sorted(volumes.rglob("*")):
        if path.is_file() and not path.is_symlink() and dirty.get(path.stat().st_ino):
            yield path


def _lost_entries(journal: Sequence[Entry], rng: random.Random) -> Iterator[int]:
    """Yield places of changes of folders that were not synced since; of each folder, all from some change on."""
    pending: dict[int, list[int]] = defaultdict(list)
    for place, entry in enumerate(journal):
        if entry.what == "S":
            pending.pop(entry.inode, None)
        elif entry.what in "CMR":
            pending[entry.inode].append(place)
    for _, places in sorted(pending.items()):
        yield from places[rng.randint(0, len(places)) :]


def _undo(entry: Entry) -> None:
    """Take a change of a folder back, where what it made is still there."""
    new = Path(entry.paths[0])
    if not os.path.lexists(new):
        return
    if entry.what == "R":
        old = Path(entry.paths[1])
        if not os.path.lexists(old):
            old.parent.mkdir(parents=True, exist_ok=True)
            new.rename(old)
    elif new.is_dir():
        shutil.rmtree(new)
    else:
        new.unlink()


def _spoil(path: Path, rng: random.Random) -> None:
    """Leave of a file nothing, its length alone, or its beginning."""
    size = path.stat().st_size
    kept, length = rng.choice(((0, 0), (0, size), (size // 2, size // 2)))
    with path.open("r+b") as handle:
        handle.truncate(kept)
        handle.truncate(length)
