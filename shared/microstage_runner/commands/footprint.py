"""`make footprint`: what the C that the stages wrote takes of other machines (microstage_bench.footprint), in the
rivals' environment.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from microstage_bench.names import MEASURED, NETWORKS, WIDTHS
from microstage_runner.commands.asked import Asked, listed
from microstage_runner.commands.measured import benchmarks, environment, planned_of, steps_of, write_subjects
from microstage_runner.commands.planned import Planned

__all__ = ["command", "planned"]


def planned(typed: dict[str, str], repository: Path) -> list[Planned | str]:
    """Return the run of every network that was asked for."""
    listed(typed, "MACHINE", MEASURED)
    return planned_of(Asked.read(typed, [*NETWORKS, *WIDTHS.values()]))


def command(typed: dict[str, str], repository: Path) -> int:
    """Measure the networks that were asked for: where none is named, all drawn ones, and one
    for each width of weights.
    """
    asked, machines = Asked.read(typed, [*NETWORKS, *WIDTHS.values()]), listed(typed, "MACHINE", MEASURED)
    with tempfile.TemporaryDirectory(prefix="microstage-footprint.") as scratch:
        subjects = write_subjects(steps_of(asked, Path(scratch)), Path(scratch))
        words = [str(subjects), "--machines", ",".join(machines)]
        return benchmarks(environment(asked[0].session({})), "footprint", *words)
