"""`make chaos`: every promise about artefacts, tried by kills, full disks, flipped bits and more (microstage_chaos)."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from microstage.errors import ParameterError, VerificationError
from microstage_chaos.families import Family, families_named
from microstage_chaos.outcome import Tally
from microstage_chaos.table import Chosen, chosen, shown, tried
from microstage_runner.commands.asked import number
from microstage_runner.commands.planned import Planned
from microstage_runner.process import volumes_of

__all__ = ["command", "planned"]


def planned(typed: dict[str, str], repository: Path) -> list[Planned | str]:
    """Return one sentence: the runs are made on a volume of their own."""
    _asked(typed)
    return ["the undisturbed runs of every family, where volumes/.chaos has them not; then every fault"]


def command(typed: dict[str, str], repository: Path) -> None:
    """Try the faults and print the table; raise `VerificationError` where a promise did not hold."""
    families, which, seed, most, jobs = _asked(typed)
    tallies: list[Tally] = []
    try:
        for tally in tried(repository, volumes_of(typed, repository), families, which, seed, most, jobs):
            tallies.append(tally)
            print(f"\n{shown([tally], sys.stdout.isatty())}", flush=True)
    finally:  # a run takes long: what is known is shown, whatever ends it
        print("\n" + shown(tallies, sys.stdout.isatty()), flush=True)
    if lost := sum(len(tally.lost) for tally in tallies):
        tries = sum(tally.tries for tally in tallies)
        raise VerificationError(f"{lost} of {tries} tries were lost; each is told above.")


def _asked(typed: dict[str, str]) -> tuple[tuple[Family, ...], Chosen, int, int | None, int]:
    """Return (families, tries of each fault, seed, the most tries, how many at once); raise `ParameterError` for what
    is not allowed.
    """
    jobs = number(typed, "JOBS", os.cpu_count() or 1)
    most = number(typed, "TRIES", 1) if "TRIES" in typed else None
    seed = typed.get("SEED", "0")
    if not seed.isdecimal():
        raise ParameterError(f"SEED={seed} is not allowed: expected a whole number from 0 on.")
    return families_named(typed.get("NETWORKS")), chosen(typed.get("ONLY")), int(seed), most, jobs
