"""One bit of one file changes: of every file of every artefact, and of the notes beside them.

A flip is held where the file is named before anything is made of it. It is harmless by proof where the file is in no
digest, or where the JSON of a manifest still says the same, and what is made next has the right bytes.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from microstage_chaos.commands import Ended
from microstage_chaos.ground import Ground, Sandbox, Undisturbed
from microstage_chaos.outcome import Lost
from microstage_runner.artefacts.artefact import MANIFEST

__all__ = ["Flips"]


@dataclass
class Flips:
    """Every file has its turn; the bit is drawn."""

    alone: bool = False
    name: str = "flips"
    title: str = "one bit flipped in a file of an artefact, or beside it"

    def count(self, ground: Ground) -> int:
        return max(1000, len(_files(ground)))

    def attempt(self, ground: Ground, rng: random.Random, number: int) -> None:
        run, place, name = _files(ground)[number % len(_files(ground))]
        stages = list(run.artefacts)
        later = stages[place + 1] if place + 1 < len(stages) else ""
        with ground.sandbox(run, place + 1) as box:
            path = box.volumes / stages[place] / name
            before = path.read_bytes()
            path.write_bytes(_flipped(before, rng))
            end = box.make(later) if later else box.make("verify", f"STAGE={stages[place]}")
            if not _is_harmless(path, before):
                _assert_named(box, path, end, later)
                path.write_bytes(before)
                end = box.make(later) if later else end
            if later and (end.code or not box.artefact(later).is_dir()):
                raise Lost(f"{later} ended with {end.code} where {name} was harmless: {end.err.strip()[-300:]}")
            box.assert_recovers() if number % 5 == 0 else box.assert_whole()


@cache
def _files(ground: Ground) -> list[tuple[Undisturbed, int, str]]:
    """Return each file of each artefact and of the notes beside it: (run, place of its stage, name below the stage)."""
    found = []
    for run in ground.runs:
        for place, folder in enumerate(run.artefacts.values()):
            for beside in (folder, folder.with_name(f"{folder.name}.run")):
                paths = (path for path in sorted(beside.rglob("*")) if path.is_file() and path.stat().st_size)
                found += [(run, place, path.relative_to(folder.parent).as_posix()) for path in paths]
    return found


def _flipped(data: bytes, rng: random.Random) -> bytes:
    place = rng.randrange(len(data))
    return data[:place] + bytes([data[place] ^ 1 << rng.randrange(8)]) + data[place + 1 :]


def _is_harmless(path: Path, before: bytes) -> bool:
    if path.parts[-2].endswith(".run") or ".run/" in path.as_posix():
        return True
    try:
        return path.name == MANIFEST and json.loads(path.read_bytes()) == json.loads(before)
    except ValueError:
        return False


def _assert_named(box: Sandbox, path: Path, end: Ended, later: str) -> None:
    """Raise `Lost` unless the command ended with a sentence that names the file, and nothing was made."""
    end.assert_told()
    if end.code != 2 or str(path) not in end.err:
        raise Lost(f"a flipped bit of {path.name} was not told of: exit {end.code}, {end.err.strip()[-300:]}")
    if later and box.artefact(later).exists():
        raise Lost(f"{later} was made of a flipped bit of {path.name}")
