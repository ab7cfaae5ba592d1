"""`make fuzz SECONDS=600`: every reader of somebody else's file, and the generated C, under a fuzzer
(microstage_fuzz).
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from microstage.errors import EnvironmentProblem, ParameterError
from microstage_fuzz.campaign import Campaign
from microstage_fuzz.libfuzzer import Reached
from microstage_fuzz.summary import lines
from microstage_fuzz.targets import TARGETS, FuzzTarget
from microstage_runner.commands.asked import number
from microstage_runner.commands.planned import Planned
from microstage_runner.declarations.checkout import load_stages
from microstage_runner.engines.local import Environments

__all__ = ["command", "fuzzing", "planned"]

_SECONDS, _RUNNER = 600, "3.11"


def planned(typed: dict[str, str], repository: Path) -> list[Planned]:
    """Return no run: readers are fuzzed, and what they read is made up."""
    _chosen(typed), number(typed, "SECONDS", _SECONDS), number(typed, "SEED", 1)
    return []


def command(typed: dict[str, str], repository: Path) -> int:
    """Fuzz every target, or those of TARGET=, SECONDS= in sum; return 1 if any has a fault or did not run."""
    targets, seconds = _chosen(typed), number(typed, "SECONDS", _SECONDS)
    kept = repository / "volumes" / "fuzz"
    outcomes: dict[str, Reached] = {}
    with tempfile.TemporaryDirectory(prefix="microstage-fuzz.") as scratch:
        place = partial(fuzzing, repository)
        campaign = Campaign(repository, kept, Path(scratch), place, number(typed, "SEED", 1))
        for target in targets:
            share = seconds / len(targets)
            print(f"fuzz: {target.name}, {target.reads}: {share:.0f} s ...", flush=True)
            outcomes[target.name] = reached = _reached(campaign, target, share)
            print(
                f"fuzz: {reached.inputs:,} inputs, {reached.covered:,} edges, {len(reached.crashes)} crashes",
                flush=True,
            )
    print("\n" + "\n".join(lines(outcomes)))
    if any(outcome.crashes for outcome in outcomes.values()):
        print("fuzz: each input above is a test from now on: make test TESTS=tests/fuzz")
    return 1 if any(outcome.crashes or outcome.failed for outcome in outcomes.values()) else 0


def _reached(campaign: Campaign, target: FuzzTarget, seconds: float) -> Reached:
    """Fuzz one target; where this machine lacks something for it, the table says so, and the others run."""
    try:
        return campaign.run(target, seconds)
    except EnvironmentProblem as problem:
        return Reached(failed=str(problem))


def _chosen(typed: Mapping[str, str]) -> list[FuzzTarget]:
    """Return the targets named in TARGET=, separated by commas; all of them where there is none."""
    names = [name for name in typed.get("TARGET", "").split(",") if name] or list(TARGETS)
    for name in names:
        if name not in TARGETS:
            raise ParameterError(f"TARGET={name} is no target of the fuzzer; expected some of {', '.join(TARGETS)}.")
    return [TARGETS[name] for name in names]


def fuzzing(repository: Path, target: FuzzTarget, bare: bool = False) -> tuple[Path, dict[str, str]]:
    """Return (interpreter, environment variables) that a target's reader runs with; `bare` leaves atheris out."""
    environments = Environments(repository / "volumes" / ".env")
    lock = repository / "shared" / "microstage_fuzz" / "requirements.lock"
    sources = [repository / "shared"]
    if target.stage:
        stages = load_stages(repository)
        stage = stages[target.stage]
        python, version = environments.ensure(stage.python, stage.folder / "requirements.lock"), stage.python
        sources += [one.folder for one in stages.values()]
        if not bare:
            sources.append(environments.overlay(lock, version))
    else:
        python = environments.ensure(_RUNNER, lock)
    around = {"PYTHONPATH": os.pathsep.join(map(str, sources)), "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}
    return python, {**os.environ, **around}
