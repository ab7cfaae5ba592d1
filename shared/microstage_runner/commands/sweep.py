"""`make sweep NAME=a,b,c ...`: every combination of the listed values, and one table of what came of each.

All points are checked before anything runs. ENGINE= runs their jobs: several at once on this machine (JOBS=), or with
Snakemake, there or on a cluster (PROFILE=). `volumes/sweep/<digest>/` has `sweep.csv`, `table.txt`, `comparison.json`,
`pareto.png` and the logs.
"""

from __future__ import annotations

from pathlib import Path

from microstage_runner.artefacts.places import Place
from microstage_runner.commands.planned import Planned
from microstage_runner.pipeline.page import print_made
from microstage_runner.sweeping import engines
from microstage_runner.sweeping.jobs import jobs_of
from microstage_runner.sweeping.outcomes import Outcome, outcomes, table_of
from microstage_runner.sweeping.page import page_of
from microstage_runner.sweeping.points import points
from microstage_runner.sweeping.result import keep

__all__ = ["command", "planned", "swept"]


def planned(typed: dict[str, str], repository: Path) -> list[Planned]:
    """Return the run of every point."""
    engines.chosen(typed)
    return [point.run for point in points(typed, repository)]


def command(typed: dict[str, str], repository: Path) -> int:
    """Run every point up to STAGE=, by default the stage that makes integers; return 1 if any failed.

    A point that fails is named in its row, and the others go on.
    """
    return 1 if any(outcome.failed for outcome in swept(typed, repository)) else 0


def swept(typed: dict[str, str], repository: Path) -> list[Outcome]:
    """Run every point, print the table, and return what came of each."""
    run, asked = engines.chosen(typed), points(typed, repository)
    volumes = asked[0].run.session.volumes
    with Place(volumes, "sweep") as folder:
        jobs = jobs_of(asked, folder)
        print(f"sweep: {len(asked)} points, of which {len(jobs)} jobs are not done yet", flush=True)
        if jobs:
            run(jobs, folder, volumes)
        found = outcomes(asked, jobs)
        result = keep(found, jobs, volumes, repository)
    print(f"\n{table_of(found)}\n\nresult: {result}")
    print_made(lambda: page_of(found, result, typed))
    return found
