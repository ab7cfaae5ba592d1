"""`make binfiles`: the files that a benchmark's runner reads, for a network whose family writes some."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Mapping
from pathlib import Path

from microstage import models
from microstage.errors import ParameterError
from microstage.files.canonical import digest
from microstage_runner.artefacts.inputs import opened
from microstage_runner.artefacts.places import Place
from microstage_runner.pipeline.pipeline import Chain, Step

__all__ = ["ENCODINGS", "binfiles"]

ENCODINGS = ("model", "eembc")
_SOURCES = ("train", "qcdq", "streamline")


def binfiles(chain: Chain, typed: Mapping[str, str]) -> Path:
    """Make the artefacts that are missing, write and check the files; the folder under volumes/binfiles."""
    encoding, module = typed.get("ENCODING", ENCODINGS[0]), _module(chain.model)
    if encoding not in ENCODINGS:
        raise ParameterError(f"ENCODING={encoding} is not allowed: expected one of {', '.join(ENCODINGS)}.")
    steps = {step.stage.name: step for step in chain.run("streamline")}
    parameters = {**steps["train"].about["parameters"], "encoding": encoding}
    result = (
        chain.store.volumes / "binfiles" / f"{digest([parameters, *(steps[s].about['key'] for s in _SOURCES)])[:16]}"
    )
    with Place(chain.store.volumes, "binfiles") as place:
        made = place / "made"
        _run(chain, module, steps, parameters, made, place / "scratch")
        (made / "report.json").unlink()
        result.parent.mkdir(exist_ok=True)
        shutil.rmtree(result, ignore_errors=True)
        made.rename(result)
    return result


def _module(model: str | None) -> str:
    name = f"{models.family(str(model)).__name__}.binfiles"
    if importlib.util.find_spec(name) is None:
        having = [
            known
            for known, package in models.models().items()
            if importlib.util.find_spec(f"{package.__name__}.binfiles")
        ]
        raise ParameterError(f"MODEL={model} has no benchmark files: expected one of {', '.join(having)}.")
    return name


def _run(chain: Chain, module: str, steps: Mapping[str, Step], parameters: Mapping, made: Path, scratch: Path) -> None:
    """In qcdq's environment, which has NumPy and onnxruntime."""
    for folder in (made, scratch):
        folder.mkdir()
    inputs = {**steps["train"].inputs, **{name: steps[name].artefact.input for name in _SOURCES}}
    with opened(inputs, "the benchmark files were written") as folders:
        code = chain.backend.run(
            chain.stages["qcdq"], inputs=folders, parameters=parameters, output=made, scratch=scratch, module=module
        )
    if code:
        raise chain.store.failed(
            "binfiles", scratch, code, "The benchmark files were not written; the reason is above."
        )
