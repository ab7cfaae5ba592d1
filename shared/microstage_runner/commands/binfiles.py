"""`make binfiles`: the folder that a benchmark's runner reads, for a network whose family writes one."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from microstage import models
from microstage.errors import ParameterError
from microstage.files.canonical import digest
from microstage_runner.artefacts.inputs import opened
from microstage_runner.artefacts.places import Place
from microstage_runner.commands.planned import Planned, up_to
from microstage_runner.declarations.family_modules import family_module
from microstage_runner.declarations.stages import INTEGERS, REFERENCE, TRAINING, of_role
from microstage_runner.engines.stage_run import StageRun
from microstage_runner.pipeline.pipeline import Pipeline
from microstage_runner.pipeline.step import PublishedStep
from microstage_runner.session import Session

__all__ = ["ENCODINGS", "command", "module_of", "planned"]

ENCODINGS = ("model", "eembc")


def planned(session: Session) -> list[Planned]:
    """Return the run whose network the files are of."""
    _encoding(session)
    module_of(session.model_name)
    return up_to(session, of_role(session.stages, INTEGERS))


def command(session: Session) -> None:
    """Make the artefacts that are missing, write and check the files, and print their folder,
    under volumes/binfiles.
    """
    encoding, module = _encoding(session), module_of(session.model_name)
    pipeline = session.pipeline(loud=True)
    training, *_, integers = sources = [of_role(session.stages, role) for role in (TRAINING, REFERENCE, INTEGERS)]
    steps = {step.stage.name: step for step in pipeline.run(integers) if step.stage.name in sources}
    parameters = {**steps[training].about["parameters"], "encoding": encoding}
    key = digest([parameters, *(steps[name].about["key"] for name in sources)])[:16]
    result = session.volumes / "binfiles" / key
    with Place(session.volumes, "binfiles") as place:
        made = place / "made"
        _run(pipeline, module, steps, parameters, made, place / "scratch")
        (made / "report.json").unlink()
        result.parent.mkdir(exist_ok=True)
        shutil.rmtree(result, ignore_errors=True)
        made.rename(result)
    print(f"result: {result}")


def _encoding(session: Session) -> str:
    """Return ENCODING=, the network's own by default."""
    encoding = session.typed.get("ENCODING", ENCODINGS[0])
    if encoding not in ENCODINGS:
        raise ParameterError(f"ENCODING={encoding} is not allowed: expected one of {', '.join(ENCODINGS)}.")
    return encoding


def module_of(model: str) -> str:
    """Return the name of the family's module that writes the files; raise `ParameterError` if it has none."""
    module = family_module(model, "binfiles")
    if module is None:
        having = [known for known in models.models() if family_module(known, "binfiles")]
        raise ParameterError(f"MODEL={model} has no benchmark files: expected one of {', '.join(having)}.")
    return module


def _run(
    pipeline: Pipeline,
    module: str,
    steps: Mapping[str, PublishedStep],
    parameters: Mapping[str, Any],
    made: Path,
    scratch: Path,
) -> None:
    """Write the files in the environment of the stage that writes the reference, which has NumPy and onnxruntime."""
    for folder in (made, scratch):
        folder.mkdir()
    stages = pipeline.stages
    inputs = {**steps[of_role(stages, TRAINING)].inputs, **{name: step.artefact.input for name, step in steps.items()}}
    with opened(inputs, "the benchmark files were written") as folders:
        reference = stages[of_role(stages, REFERENCE)]
        code = pipeline.backend.run(StageRun(reference, folders, parameters, made, scratch, module))
    if code:
        raise pipeline.store.failed(
            "binfiles", scratch, code, "The benchmark files were not written; the reason is above."
        )
