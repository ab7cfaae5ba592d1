"""The folder that a sweep leaves: its table, its rows as CSV and as JSON, a picture, and the logs of its jobs."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from microstage.files.canonical import digest, write_json
from microstage_runner.artefacts.places import Place
from microstage_runner.declarations.checkout import load_stages
from microstage_runner.declarations.stages import REFERENCE, of_role
from microstage_runner.engines.stage_run import StageRun
from microstage_runner.sweeping.comparison import comparison
from microstage_runner.sweeping.jobs import SweepJob
from microstage_runner.sweeping.outcomes import Outcome, csv_of, numbers_of, table_of

__all__ = ["keep"]

_CHART = "microstage.charts.pareto"


def keep(found: Sequence[Outcome], jobs: Mapping[str, SweepJob], volumes: Path, repository: Path) -> Path:
    """Write all of it into a folder of its digest; return that."""
    compared = comparison(_runs(found))
    result = volumes / "sweep" / digest([[outcome.row, outcome.identity] for outcome in found])[:16]
    with Place(volumes, "swept") as place:
        made = place / "made"
        made.mkdir()
        (made / "sweep.csv").write_text(csv_of(found))
        (made / "table.txt").write_text(table_of(found) + "\n")
        write_json(made / "comparison.json", compared)
        (made / "logs").mkdir()
        for job in jobs.values():
            if job.log.is_file():
                shutil.copy(job.log, made / "logs")
        if "pareto" in compared:
            _draw(found[0], made, place, repository)
        result.parent.mkdir(exist_ok=True)
        shutil.rmtree(result, ignore_errors=True)
        made.rename(result)
    return result


def _runs(found: Sequence[Outcome]) -> list[dict[str, Any]]:
    """Return the points that did not fail, as `comparison` takes them."""
    return [
        {"id": outcome.point.title, "parameters": dict(outcome.point.values), "figures": numbers_of(outcome.figures)}
        for outcome in found
        if not outcome.failed
    ]


def _draw(first: Outcome, made: Path, place: Path, repository: Path) -> None:
    """Draw the runs in the environment of the stage that draws."""
    stages, pipeline = load_stages(repository), first.point.run.session.pipeline()
    drawn, scratch = place / "drawn", place / "scratch"
    for folder in (drawn, scratch):
        folder.mkdir()
    stage = stages[of_role(stages, REFERENCE)]
    code = pipeline.backend.run(StageRun(stage, {"compared": made}, {}, drawn, scratch, _CHART))
    if code:
        raise pipeline.store.failed("pareto", scratch, code, "The picture was not drawn; the reason is above.")
    shutil.copy(drawn / "pareto.png", made)
