"""`make runs`: every training of this volume, finished or cut off and waiting to be resumed."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from microstage.process.text_table import table
from microstage_runner.declarations.family_modules import report_of
from microstage_runner.declarations.stages import TRAINING, Stage, of_role
from microstage_runner.pipeline.runs import Run, listing
from microstage_runner.process import DOOR
from microstage_runner.session import Session

__all__ = ["command"]


def command(session: Session) -> None:
    """Print a row for each training, newest first."""
    stage = of_role(session.stages, TRAINING)
    print(_table(listing(session.store, stage), session.stages, stage))


def _table(runs: Sequence[Run], stages: Mapping[str, Stage], stage: str) -> str:
    """Return a row per run: id, when, state, network, dataset, result, and what differs from the defaults."""
    if not runs:
        return f"No run yet; `{DOOR} {stage}` makes one."
    rows = [
        [
            run.id,
            time.strftime("%Y-%m-%d %H:%M", time.localtime(run.began)),
            "cut off" if run.metrics is None else "finished",
            str(run.parameters.get("model", "-")),
            str(run.parameters.get("dataset", "-")),
            _differing(run, stages[stage]),
            report_of(run.parameters).result(run.metrics or {}),
        ]
        for run in runs
    ]
    return "\n".join(table(["run", "began", "state", "model", "dataset", "other than by default", "result"], rows))


def _differing(run: Run, stage: Stage) -> str:
    """Return the parameters of a run that are not what they are by default, as they are typed."""
    model = run.parameters.get("model", "")
    declared = {name: p.of(model) for name, p in stage.parameters.items() if name not in ("model", "dataset")}
    return (
        " ".join(
            f"{p.variable}={run.parameters[name]}"
            for name, p in declared.items()
            if p is not None and name in run.parameters and run.parameters[name] != p.default
        )
        or "-"
    )
