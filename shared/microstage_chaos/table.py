"""Every fault, tried over the undisturbed runs, and the table of what held."""

from __future__ import annotations

import os
import random
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import closing
from pathlib import Path

from microstage.errors import ParameterError
from microstage.process.progress import progress
from microstage_chaos.calls import CallKills, FullDisk, ReadOnly
from microstage_chaos.containers import Containers
from microstage_chaos.crowd import Crowd
from microstage_chaos.cut_links import CutLinks
from microstage_chaos.edits import Edits
from microstage_chaos.families import Family
from microstage_chaos.fault import KindOfFault
from microstage_chaos.flips import Flips
from microstage_chaos.ground import Ground
from microstage_chaos.kills import RandomKills, WorkingKills
from microstage_chaos.memory_limits import MemoryLimits
from microstage_chaos.outcome import Lost, Skipped, Tally
from microstage_chaos.power import PowerLoss
from microstage_chaos.registries import Registries
from microstage_chaos.swaps import Swaps

__all__ = ["FAULTS", "Chosen", "chosen", "shown", "tried"]

FAULTS: tuple[KindOfFault, ...] = (
    RandomKills(),
    RandomKills("docker"),
    CallKills(),
    CallKills("docker"),
    PowerLoss(),
    FullDisk(),
    ReadOnly(),
    Flips(),
    Swaps(),
    Edits(),
    Crowd(),
    Registries(),
    MemoryLimits(),
    MemoryLimits("docker"),
    WorkingKills(),
    WorkingKills("docker"),
    CutLinks(),
    Containers(),
)
Chosen = Mapping[str, Sequence[int] | None]
"{fault: the numbers of its tries}; None is all of them."
_HEADER = ("fault", "tries", "held", "lost")
_MEMORY, _ROOM = Path("/dev/shm"), 1 << 31
_RED, _PLAIN = "\033[31m", "\033[0m"


def chosen(only: str | None) -> Chosen:
    """Return what ONLY=kills,flips:137 chooses, all where nothing was typed; `ParameterError` for what is no fault."""
    known = {fault.name for fault in FAULTS}
    if only is None:
        return dict.fromkeys(fault.name for fault in FAULTS)
    found: dict[str, list[int] | None] = {}
    for word in only.replace(",", " ").split():
        name, colon, number = word.partition(":")
        if name not in known or (colon and not number.isdecimal()):
            raise ParameterError(f"ONLY={only} is not allowed: expected some of {', '.join(sorted(known))}.")
        found[name] = [*(found.get(name) or []), int(number)] if colon else None
    return found


def tried(
    repository: Path,
    volumes: Path,
    families: Sequence[Family],
    which: Chosen,
    seed: int,
    most: int | None = None,
    jobs: int = 1,
) -> Iterator[Tally]:
    """Yield what came of each fault of `which`, at most `most` tries of each, up to `jobs` at once; a try that is lost
    is told at once.
    """
    with tempfile.TemporaryDirectory(prefix="microstage-chaos.", dir=_in_memory()) as folder:
        ground = Ground(repository, volumes, Path(folder).resolve(), families)
        with closing(ground):
            for fault in FAULTS:
                if fault.name in which:
                    yield _tried(fault, ground, seed, which[fault.name], most, 1 if fault.alone else jobs)


def _in_memory() -> str | None:
    """Return a folder in memory, where a sync costs nothing and what is lost without one is played; None without."""
    return str(_MEMORY) if os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free > _ROOM else None


def _tried(
    fault: KindOfFault, ground: Ground, seed: int, numbers: Sequence[int] | None, most: int | None, jobs: int
) -> Tally:
    tally = Tally(fault.name, fault.title)
    try:
        numbers = numbers or _spread(fault.count(ground), most, seed)
    except Skipped as why:
        tally.skipped = str(why)
        return tally
    with ThreadPoolExecutor(jobs) as pool:  # threads wait; commands and stages are processes
        ends = [pool.submit(_attempt, fault, ground, seed, number) for number in numbers]
        try:
            for done in progress(as_completed(ends), len(ends), fault.name):
                number, lost = done.result()
                tally.tries += 1
                if lost:
                    tally.lost[number] = lost
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return tally


def _attempt(fault: KindOfFault, ground: Ground, seed: int, number: int) -> tuple[int, str]:
    """Return (number, what was lost) of a try; nothing is "" and all else is told."""
    try:
        fault.attempt(ground, random.Random(f"{seed}/{fault.name}/{number}"), number)
    except Lost as lost:
        names = " ".join(run.family.name for run in ground.runs)
        again = f'make chaos SEED={seed} NETWORKS="{names}" ONLY={fault.name}:{number}'
        print(f"\nlost: {fault.title}: {lost}\n  again: {again}", flush=True)
        return number, str(lost)
    return number, ""


def _spread(count: int, most: int | None, seed: int) -> list[int]:
    """Return the numbers of all tries, or of `most` that are spread evenly over them, in no order: a run that is cut
    short has tried a bit of everything.
    """
    kept = count if most is None else min(most, count)
    numbers = [number * count // kept for number in range(kept)]
    return random.Random(seed).sample(numbers, kept)


def shown(tallies: Sequence[Tally], coloured: bool) -> str:
    """Return the table; a line that lost something is red on a terminal."""
    rows = [_HEADER, *(tally.row for tally in tallies)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADER))]
    lines = [
        f"{row[0]:{widths[0]}}  " + "  ".join(f"{cell:>{width}}" for cell, width in zip(row[1:], widths[1:]))
        for row in rows
    ]
    red = [False, *(bool(tally.lost) for tally in tallies)]
    return "\n".join(f"{_RED}{line}{_PLAIN}" if bad and coloured else line for line, bad in zip(lines, red))
