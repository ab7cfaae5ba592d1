"""`make accuracy`: train on every fold, and print the tables of all of them together, which the model's family
declares.
"""

from __future__ import annotations

import importlib
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from microstage.errors import ParameterError
from microstage.files.canonical import digest, write_json
from microstage_runner.artefacts.places import Place
from microstage_runner.commands.planned import Planned
from microstage_runner.declarations.family_modules import family_module
from microstage_runner.declarations.stages import TRAINING, of_role
from microstage_runner.engines.stage_run import StageRun
from microstage_runner.pipeline.page import print_page
from microstage_runner.pipeline.pipeline import Pipeline
from microstage_runner.session import Session

__all__ = ["command", "planned", "pooled_over_folds"]


def planned(session: Session) -> list[Planned]:
    """Return the training of every fold."""
    family = _family(session)
    family.nominal_of(session.typed)
    stage, folds = of_role(session.stages, TRAINING), family.folds_of(session.typed)
    titles = [f"FOLD={typed['FOLD']}" if "FOLD" in typed else "" for typed in folds]
    return [Planned(title, Session(session.repository, typed), stage) for title, typed in zip(titles, folds)]


def command(session: Session) -> None:
    """Train and test on every fold, then print and draw the tables."""
    pooled_over_folds(session)


def pooled_over_folds(session: Session) -> dict[str, Any]:
    """Do that, and return the errors of all folds together."""
    stage, family = of_role(session.stages, TRAINING), _family(session)
    nominal = family.nominal_of(session.typed)
    folds = [Session(session.repository, typed) for typed in family.folds_of(session.typed)]
    trained = [fold.pipeline(loud=fold is folds[0]).run(stage) for fold in folds]
    found = family.pooled([steps[-1].artefact.about for steps in trained], nominal)
    print("\n" + family.tables(found))
    print(f"\na picture of each table: {_draw(found, family.CHARTS, stage, folds[0].pipeline())}")
    for steps in trained:
        print_page(steps)
    return found


def _family(session: Session) -> ModuleType:
    """Return the module that pools errors of this network's family; raise `ParameterError` if it has none."""
    stage = of_role(session.stages, TRAINING)
    module = family_module(session.parameters[stage].get("model", ""), "accuracy")
    if module is None:
        raise ParameterError(
            "make accuracy pools errors over folds, of which this MODEL= has none;"
            " `make sweep MODEL=a,b` prints accuracies."
        )
    return importlib.import_module(module)


def _draw(found: Mapping[str, Any], charts: str, stage: str, pipeline: Pipeline) -> Path:
    """Run the module `charts` in the environment of `stage`; return the folder under volumes/accuracy with a PNG per
    table.
    """
    result = pipeline.store.volumes / "accuracy" / digest(found)[:16]
    with Place(pipeline.store.volumes, "charts") as place:
        given, drawn, scratch = (place / name for name in ("pooled", "drawn", "scratch"))
        for folder in (given, drawn, scratch):
            folder.mkdir()
        write_json(given / "pooled.json", found)
        code = pipeline.backend.run(StageRun(pipeline.stages[stage], {"pooled": given}, {}, drawn, scratch, charts))
        if code:
            raise pipeline.store.failed("charts", scratch, code, "The charts were not drawn; the reason is above.")
        (drawn / "report.json").unlink()
        shutil.copy(given / "pooled.json", drawn)
        result.parent.mkdir(exist_ok=True)
        shutil.rmtree(result, ignore_errors=True)
        drawn.rename(result)
    return result
