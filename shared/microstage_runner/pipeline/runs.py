"""Trainings by id: `make runs` lists them, RUN= stands for the parameters of one, finished or cut off.

A run's id is the first characters of its key. One that was cut off is resumed by `make resume RUN=`, which ends in the same bytes as
if nothing had happened; a finished one is exported, or taken on to any other stage, by `make export RUN=`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from microstage.errors import ParameterError
from microstage_runner.artefacts import notes
from microstage_runner.artefacts.artefact import Artefact
from microstage_runner.artefacts.places import NOTE
from microstage_runner.artefacts.store import Store
from microstage_runner.declarations.stages import Stage

__all__ = ["Run", "assert_same", "find", "listing", "note", "show", "trained", "variables_of"]


@dataclass(frozen=True)
class Run:
    """One training; `metrics` is None while it is not finished. `began` is in seconds since 1970."""

    id: str
    parameters: Mapping[str, Any]
    data_dir: str | None
    model_file: str | None
    began: float
    metrics: Mapping[str, Any] | None


def note(out: Path, about: Mapping[str, Any], places: Mapping[str, str | None], began: float) -> None:
    """Say beside an unfinished output what it will be, so that a cut-off run can be listed."""
    notes.write(out.parent / NOTE, {"key": about["key"], "parameters": about["parameters"], **places, "began": began})


def trained(stages: Mapping[str, Stage]) -> str:
    """The stage that makes runs: the one that chooses the model."""
    return next(name for name, stage in stages.items() if "model" in stage.parameters)


def listing(store: Store, stage: str) -> list[Run]:
    """Every run of this volume, newest first."""
    finished = [_finished(artefact) for artefact in store.published(stage)]
    known = {run.id for run in finished}
    cut = [notes.read(path, partial(_cut_off, path)) for path in store.volumes.glob(f".partial/{stage}-*/{NOTE}")]
    return sorted([*finished, *(run for run in cut if run and run.id not in known)], key=lambda run: -run.began)


def _finished(artefact: Artefact) -> Run:
    about, run = artefact.about, artefact.run
    return Run(
        artefact.key,
        about["parameters"],
        run.get("data_dir"),
        run.get("model_file"),
        run.get("started", 0.0),
        about["metrics"],
    )


def _cut_off(path: Path, said: Any) -> Run:
    known = notes.facts(said)
    if not all(isinstance(value, str | int | float) for value in known["parameters"].values()):
        raise TypeError
    return Run(
        path.parent.name.rpartition("-")[2],
        known["parameters"],
        known.get("data_dir"),
        known.get("model_file"),
        known["began"],
        None,
    )


def find(store: Store, stage: str, wanted: str) -> Run:
    """The run whose id begins with `wanted`; `ParameterError` if there is none, or more than one."""
    found = [run for run in listing(store, stage) if wanted and run.id.startswith(wanted)]
    if len(found) != 1:
        what = f"fits {len(found)} runs" if found else "is no run of this volume"
        raise ParameterError(f"RUN={wanted} {what}; `make runs` lists them.")
    return found[0]


def variables_of(run: Run) -> dict[str, str]:
    """The make variables that stand for the run."""
    places = {"DATA_DIR": run.data_dir, "MODEL": run.model_file}
    chosen = {name.upper(): str(value) for name, value in run.parameters.items()}
    return {**chosen, **{name: place for name, place in places.items() if place is not None}}


def assert_same(wanted: Run, key: str) -> None:
    """`ParameterError` if going on from `wanted` would in truth begin anew."""
    if not key.startswith(wanted.id):
        raise ParameterError(
            f"RUN={wanted.id} was made from other sources, data or environment than are here now, and would be trained anew;"
            " `make why STAGE=train` says what changed. Leave RUN= out to train anew."
        )


def show(runs: Sequence[Run], stages: Mapping[str, Stage], stage: str) -> str:
    """A row per run: id, when, state, network, dataset, result, and what differs from the defaults."""
    from microstage_runner.pipeline.report import table  # which knows the chain, and the chain knows this module

    if not runs:
        return "No run yet; `make train` makes one."
    rows = [
        [
            run.id,
            time.strftime("%Y-%m-%d %H:%M", time.localtime(run.began)),
            "cut off" if run.metrics is None else "finished",
            str(run.parameters.get("model", "-")),
            str(run.parameters.get("dataset", "-")),
            _differing(run, stages[stage]),
            _result(run.metrics or {}),
        ]
        for run in runs
    ]
    return "\n".join(table(["run", "began", "state", "model", "dataset", "other than by default", "result"], rows))


def _result(metrics: Mapping[str, Any]) -> str:
    if "test.accuracy" in metrics:
        return f"{100 * metrics['test.accuracy']:.2f} %, {metrics['test.origin']}"
    return f"H1 {metrics['test.mae.network'][0]:.3f}" if "test.mae.network" in metrics else "-"


def _differing(run: Run, stage: Stage) -> str:
    model = run.parameters.get("model")
    own = {name: p.of(model) for name, p in stage.parameters.items() if name not in ("model", "dataset")}
    return (
        " ".join(
            f"{p.variable}={run.parameters[name]}"
            for name, p in own.items()
            if p is not None and name in run.parameters and run.parameters[name] != p.default
        )
        or "-"
    )
