"""Trainings by id: `make runs` lists them, RUN= stands for the parameters of one, finished or cut off.

A run's id is the first characters of its key. One that was cut off is resumed by `make resume RUN=`, which ends in the
same bytes as if nothing had happened; a finished one is exported, or taken on to any other stage, by `make export
RUN=`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from microstage.errors import ParameterError
from microstage_runner.artefacts import notes
from microstage_runner.artefacts.artefact import Artefact
from microstage_runner.artefacts.places import NOTE
from microstage_runner.artefacts.store import Store

__all__ = ["Run", "assert_same", "find", "listing", "note", "variables_of"]


@dataclass(frozen=True)
class Run:
    """One training; `metrics` is None while it is not finished. `began` is in seconds since 1970. `places` are those of
    the user's files, by the make variable that named them.
    """

    id: str
    parameters: Mapping[str, Any]
    places: Mapping[str, str]
    began: float
    metrics: Mapping[str, Any] | None


def note(out: Path, about: Mapping[str, Any], places: Mapping[str, str | None], began: float) -> None:
    """Say beside an unfinished output what it will be, so that a cut-off run can be listed."""
    notes.write(out.parent / NOTE, {"key": about["key"], "parameters": about["parameters"], **places, "began": began})


def listing(store: Store, stage: str) -> list[Run]:
    """Return every run of this volume, newest first."""
    finished = [_finished(artefact) for artefact in store.published(stage)]
    known = {run.id for run in finished}
    cut = [notes.read(path, partial(_cut_off, path)) for path in store.volumes.glob(f".partial/{stage}-*/{NOTE}")]
    return sorted([*finished, *(run for run in cut if run and run.id not in known)], key=lambda run: -run.began)


def _finished(artefact: Artefact) -> Run:
    about, run = artefact.about, artefact.run
    return Run(
        artefact.key,
        about["parameters"],
        _places(run),
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
        _places(known),
        known["began"],
        None,
    )


def find(store: Store, stage: str, wanted: str) -> Run:
    """Return the run whose id begins with `wanted`; raise `ParameterError` if there is none, or more than one."""
    found = [run for run in listing(store, stage) if wanted and run.id.startswith(wanted)]
    if len(found) != 1:
        what = f"fits {len(found)} runs" if found else "is no run of this volume"
        raise ParameterError(f"RUN={wanted} {what}; `make runs` lists them.")
    return found[0]


def variables_of(run: Run) -> dict[str, str]:
    """Return the make variables that stand for the run."""
    return {**{name.upper(): str(value) for name, value in run.parameters.items()}, **run.places}


def _places(said: Mapping[str, Any]) -> dict[str, str]:
    """Return {variable: place} of a run's note."""
    return {name.removesuffix("_file").upper(): said[name] for name in said if notes.is_place(name) and said[name]}


def assert_same(wanted: Run, key: str, stage: str) -> None:
    """Raise `ParameterError` if going on from `wanted` would in truth begin anew."""
    if not key.startswith(wanted.id):
        raise ParameterError(
            f"RUN={wanted.id} was made from other sources, data or environment than are here now,"
            " and would be trained anew;"
            f" `make why STAGE={stage}` says what changed. Leave RUN= out to train anew."
        )
