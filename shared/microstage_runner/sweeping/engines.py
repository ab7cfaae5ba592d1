"""Which engine runs the jobs of a sweep: ENGINE=, PROFILE= and JOBS=, as they were typed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from microstage.errors import ParameterError
from microstage_runner.sweeping import local_engine, snakemake_engine
from microstage_runner.sweeping.jobs import SweepJob

__all__ = ["chosen"]

Engine = Callable[[Mapping[str, SweepJob], Path, Path], None]
"Runs jobs; with the folder that holds their stamps and logs, and the volume."
_ENGINES = ("local", "snakemake")
_AT_ONCE = {"local": 1, "slurm": 100}


def chosen(typed: Mapping[str, str]) -> Engine:
    """Return the engine; raise `ParameterError` for what is not allowed."""
    engine, profile = typed.get("ENGINE", "local"), typed.get("PROFILE", "local")
    if engine not in _ENGINES:
        raise ParameterError(f"ENGINE={engine} is not allowed: expected one of {', '.join(_ENGINES)}.")
    if profile not in snakemake_engine.PROFILES:
        allowed = ", ".join(snakemake_engine.PROFILES)
        raise ParameterError(f"PROFILE={profile} is not allowed: expected one of {allowed}.")
    if "PROFILE" in typed and engine == "local":
        raise ParameterError(f"PROFILE={profile} goes with ENGINE=snakemake: give that too, or leave it out.")
    at_once = typed.get("JOBS", str(_AT_ONCE[profile]))
    if not at_once.isdecimal() or int(at_once) < 1:
        raise ParameterError(f"JOBS={at_once} is not allowed: expected a whole number from 1 on.")
    return partial(_local, int(at_once)) if engine == "local" else partial(_snakemake, int(at_once), profile)


def _local(at_once: int, jobs: Mapping[str, SweepJob], folder: Path, volumes: Path) -> None:
    local_engine.run(jobs, at_once)


def _snakemake(at_once: int, profile: str, jobs: Mapping[str, SweepJob], folder: Path, volumes: Path) -> None:
    snakemake_engine.run(jobs, at_once, folder, profile, volumes)
