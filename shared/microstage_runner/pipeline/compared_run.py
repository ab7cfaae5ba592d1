"""One training and all that was made from it, as a comparison shows it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from microstage.errors import ParameterError
from microstage_runner.artefacts.artefact import Artefact
from microstage_runner.artefacts.store import Store
from microstage_runner.declarations.stages import TRAINING, Stage, of_role
from microstage_runner.pipeline import runs
from microstage_runner.pipeline.rendering import explanation_of
from microstage_runner.pipeline.step import PublishedStep
from microstage_runner.sweeping.comparison import comparison
from microstage_runner.sweeping.figures import figures
from microstage_runner.sweeping.outcomes import numbers_of

__all__ = ["ComparedRun", "differing", "facts"]


@dataclass(frozen=True)
class ComparedRun:
    """A finished run: its id, and a published step for each stage that it went through."""

    id: str
    steps: Sequence[PublishedStep]

    @classmethod
    def find(cls, store: Store, stages: Mapping[str, Stage], wanted: str) -> ComparedRun:
        """Return the run whose id begins with `wanted`; raise `ParameterError` if none does, or it was cut off."""
        training = of_role(stages, TRAINING)
        run = runs.find(store, training, wanted)
        trained = next((artefact for artefact in store.published(training) if artefact.key == run.id), None)
        if trained is None:
            raise ParameterError(f"RUNS={wanted} was cut off; `make resume RUN={run.id}` finishes it.")
        return cls(run.id, _steps(store, stages, trained))

    @cached_property
    def parameters(self) -> dict[str, Any]:
        """The parameters of all its stages."""
        return {name: value for step in self.steps for name, value in step.artefact.parameters.items()}

    @cached_property
    def figures(self) -> dict[str, str]:
        """What came of it, by column."""
        return figures(self.steps)

    @property
    def told(self) -> dict[str, Any]:
        """The run as a tracker takes it: every parameter, the figures that are numbers, and its curves."""
        return {
            "id": self.id,
            "parameters": self.parameters,
            "figures": numbers_of(self.figures),
            "curves": _curves(self.steps[0].artefact.checked() / "metrics.json"),
        }

    def errors(self, volumes: Path) -> list[dict[str, Any]]:
        """Return what each layer loses by itself against floats, as `make explain` measured it; [] where it did not."""
        folder = explanation_of(self.steps, volumes)
        layers = json.loads((folder / "explain.json").read_text())["layers"] if folder else []
        return [{"layer": layer["layer"], "run": self.id, "sqnr_db": layer["by_itself_db"]} for layer in layers]


def differing(compared: Sequence[ComparedRun]) -> list[str]:
    """Return the names of the parameters that are not the same in all runs that have them."""
    values: dict[str, set[str]] = {}
    for run in compared:
        for name, value in run.parameters.items():
            values.setdefault(name, set()).add(str(value))
    return [name for name, found in values.items() if len(found) > 1]


def facts(compared: Sequence[ComparedRun], volumes: Path) -> dict[str, Any]:
    """Return what the page of a comparison shows."""
    names = differing(compared)
    rows = [
        {
            "id": run.id,
            "parameters": {name: run.parameters.get(name) for name in names},
            "figures": numbers_of(run.figures),
        }
        for run in compared
    ]
    models = [*dict.fromkeys(str(run.parameters.get("model", "a network")) for run in compared)]
    return {
        "title": f"{len(compared)} runs of {', '.join(models)}",
        "verdict": _verdict(compared),
        "comparison": {**comparison(rows), "layers": [row for run in compared for row in run.errors(volumes)]},
        "provenance": {"rows": [_key(run.id, step) for run in compared for step in run.steps]},
        "command": f'make compare RUNS="{" ".join(run.id for run in compared)}"',
    }


def _verdict(compared: Sequence[ComparedRun]) -> dict[str, Any]:
    """Return the state of the run that is proven least, and how far each went."""
    proofs = [proof for run in compared for step in run.steps for proof in step.artefact.about["verification"]]
    sums = {name: sum(proof[name] for proof in proofs) for name in ("compared", "equal", "explained_ties")}
    differ = sums["compared"] - sums["equal"] - sums["explained_ties"]
    state = "differs" if differ else "proven with ties" if sums["explained_ties"] else "proven"
    return {
        "state": state if sums["compared"] else "nothing compared yet",
        "sentence": f"{sums['equal']:,} of {sums['compared']:,} integers of all runs are equal; "
        f"{sums['explained_ties']:,} are explained ties, {differ:,} differ.",
        "notes": [f"{run.id} went as far as {run.steps[-1].stage.name}." for run in compared],
    }


def _key(run: str, step: PublishedStep) -> dict[str, str]:
    return {"what": f"{run}, {step.stage.name}", "value": step.artefact.about["key"]}


def _steps(store: Store, stages: Mapping[str, Stage], trained: Artefact) -> list[PublishedStep]:
    """Return a step for each stage that a training went through: of several artefacts of one stage, the newest."""
    steps: list[PublishedStep] = []
    for stage in stages.values():
        marks = {step.artefact.digest for step in steps}
        made = [one for one in store.published(stage.name) if marks & {*one.about["inputs"].values()}]
        newest = max(made, key=lambda one: one.run.get("started", 0.0), default=None)
        found = trained if stage.name == trained.stage else newest
        if found is not None:
            steps.append(PublishedStep(stage, found.about, {}, found))
    return steps


def _curves(file: Path) -> list[dict[str, Any]]:
    """Return a row for each epoch and figure of each phase of a training."""
    metrics = json.loads(file.read_text()) if file.is_file() else {}
    return [
        {"epoch": epoch, "figure": f"{phase}: {figure}", "value": value}
        for phase, epochs in metrics.get("loss", {}).items()
        for epoch, found in enumerate(epochs, 1)
        for figure, value in found.items()
        if isinstance(value, int | float)
    ]
