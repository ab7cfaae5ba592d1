"""`make compare RUNS="1b6f 90ac"`: trainings beside each other, and what came of each: the parameters that differ,
every figure, a page, and the same for TensorBoard and, where MLFLOW_TRACKING_URI is set, for MLflow.

Nothing is made or trained: what is published of each run is read.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from microstage.errors import MicrostageError, ParameterError
from microstage.files.canonical import digest, write_json
from microstage.process.text_table import table
from microstage_runner.artefacts.places import Place
from microstage_runner.engines.report_environment import report_environment, run_module, tracking_environment
from microstage_runner.pipeline.compared_run import ComparedRun, differing, facts
from microstage_runner.pipeline.rendering import render
from microstage_runner.session import Session

__all__ = ["compare_runs"]

_BESIDE = ("RUNS", "VOLUMES", "PUBLIC_KEY", "PYTHON", "RUNNER", "VENDOR")
_TRACKING = "MLFLOW_TRACKING_URI"


def compare_runs(session: Session) -> None:
    """Print a row for each run, and where its page is; raise `EnvironmentProblem` where a tracker cannot be reached."""
    runs = _asked(session)
    print(_table(runs))
    for run in runs:
        if not run.errors(session.volumes):
            print(f"no error of each layer of {run.id}: `make explain RUN={run.id}` measures it")
    page = _page(runs, session.volumes)
    try:
        with Place(session.volumes, "compared") as place:
            _track(runs, session.volumes, place)
    finally:
        print(f"page: {page}", flush=True)


def _asked(session: Session) -> list[ComparedRun]:
    """Return the runs of RUNS=; raise `ParameterError` where they are not two or more that are finished."""
    for name, value in session.typed.items():
        if name not in _BESIDE:
            raise ParameterError(
                f"{name}={value} has no use beside RUNS=, which names runs by their ids: leave it out."
            )
    wanted = session.typed["RUNS"].replace(",", " ").split()
    runs = [ComparedRun.find(session.store, session.stages, one) for one in wanted]
    if len({run.id for run in runs}) < max(2, len(runs)):
        raise ParameterError(
            f"RUNS={session.typed['RUNS']} does not name two or more different runs; `make runs` lists their ids."
        )
    return runs


def _table(runs: Sequence[ComparedRun]) -> str:
    """Return a row for each run: its id, the parameters that differ, every figure."""
    parameters = differing(runs)
    names = [*dict.fromkeys(name for run in runs for name in run.figures)]
    rows = [
        [
            run.id,
            *(str(run.parameters.get(name, "-")) for name in parameters),
            *(run.figures.get(n, "-") for n in names),
        ]
        for run in runs
    ]
    return "\n".join(table(["run", *parameters, *names], rows))


def _page(runs: Sequence[ComparedRun], volumes: Path) -> Path:
    """Return the page of the comparison, which is made where it is missing."""
    found = facts(runs, volumes)
    page = volumes / "report" / f"compare-{digest(found)[:16]}.html"
    if not page.is_file():
        render({"facts": found}, page)
    return page


def _track(runs: Sequence[ComparedRun], volumes: Path, place: Path) -> None:
    """Write the runs as TensorBoard reads them, and to the tracking server that the user named."""
    told: list[dict[str, Any]] = [run.told for run in runs]
    write_json(place / "runs.json", told)
    events = volumes / "tensorboard"
    run_module(
        report_environment(volumes), volumes, "microstage_report.tracking.tensorboard", place / "runs.json", events
    )
    print(f"tensorboard: {events}", flush=True)
    server = os.environ.get(_TRACKING)
    if server:
        try:
            run_module(
                tracking_environment(volumes), volumes, "microstage_report.tracking.mlflow_runs", place / "runs.json"
            )
        except MicrostageError as error:
            error.args = (f"{_TRACKING}={server} took no runs: {error}",)
            raise
        print(f"mlflow: {server}", flush=True)
