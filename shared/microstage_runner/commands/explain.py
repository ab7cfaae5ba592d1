"""`make explain MODEL=... SAMPLE=17`: every layer in floats beside its integers; where one answer's error comes from.

The network goes through its stages first, where it has not: what is explained are integers that are proven. Then one
step in the environment of the stage that knows both, and one that draws. `volumes/explain/<network>-<key>/` has
`explain.json`, `explain.txt`, `explain.png`, and in `of.json` the artefacts that it is of, by which the page of a run
finds it.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from microstage.errors import ParameterError
from microstage.explaining.report import said
from microstage.files.canonical import digest, write_json
from microstage_runner.artefacts.inputs import Input, opened
from microstage_runner.artefacts.places import Place
from microstage_runner.commands.planned import Planned, up_to
from microstage_runner.declarations.checkout import load_stages
from microstage_runner.declarations.stages import INTEGERS, REFERENCE, TRAINING, Stage, of_role
from microstage_runner.engines.stage_run import StageRun
from microstage_runner.pipeline.page import print_page
from microstage_runner.pipeline.pipeline import Pipeline
from microstage_runner.pipeline.rendering import EXPLAINED
from microstage_runner.pipeline.step import PublishedStep
from microstage_runner.session import Session

__all__ = ["command", "explain", "explained_role", "planned"]

_OF_A_MODEL, _OF_A_FILE = "microstage.explaining.of_model", "microstage_streamline.explain"
_CHART = "microstage.charts.explain"
_FOUND = "explain.json"


def planned(session: Session) -> list[Planned]:
    """Return the run whose layers are explained."""
    _sample(session.typed.get("SAMPLE"))
    return up_to(session, of_role(session.stages, explained_role(session)))


def command(session: Session) -> None:
    """Print the tables, and the folder with all of it."""
    sample, pipeline = _sample(session.typed.get("SAMPLE")), session.pipeline(loud=True)
    steps = pipeline.run(of_role(session.stages, explained_role(session)))
    folder = explain(session, pipeline, steps, sample)
    print(f"\n{(folder / 'explain.txt').read_text()}")
    print(f"result: {folder}")
    print_page(steps, again=True)


def explained_role(session: Session) -> str:
    """Return the role of the stage up to which a run must be done to be explained."""
    return INTEGERS if "ONNX" in session.typed else REFERENCE


def explain(session: Session, pipeline: Pipeline, steps: Sequence[PublishedStep], sample: Mapping[str, int]) -> Path:
    """Explain a run that is done up to the stage that this takes; return the folder with all of it."""
    stage, module, inputs = (_of_a_file if "ONNX" in session.typed else _of_a_model)(pipeline, steps)
    asked = {**pipeline.parameters[stage.name], **sample}
    with Place(session.volumes, "explain") as place:
        made, drawn = place / "made", place / "drawn"
        with opened(inputs, "it was explained") as folders:
            _run(pipeline, StageRun(stage, folders, asked, made, place / "scratch", module))
        _run(pipeline, StageRun(_drawing(session.repository), {"explained": made}, {}, drawn, place / "charts", _CHART))
        artefacts = {step.artefact.digest for step in steps} & {given.digest for given in inputs.values()}
        return _kept(session.volumes, made, drawn, artefacts)


def _sample(text: str | None) -> dict[str, int]:
    """Return the parameter SAMPLE=, where it was typed."""
    if text is None:
        return {}
    if not text.isdigit():
        raise ParameterError(f"SAMPLE={text} is not allowed: expected the number of a sample, from 0 on.")
    return {"sample": int(text)}


def _of_a_model(pipeline: Pipeline, steps: Sequence[PublishedStep]) -> tuple[Stage, str, dict[str, Input]]:
    """Return where a network that is trained here is explained, the module, and its inputs."""
    stages = pipeline.stages
    training, reference = of_role(stages, TRAINING), of_role(stages, REFERENCE)
    done = {step.stage.name: step for step in steps}
    module = {name: given for name, given in done[training].inputs.items() if name == "module"}
    artefacts = {"train": done[training].artefact.input, "reference": done[reference].artefact.input}
    return stages[training], _OF_A_MODEL, {**artefacts, **module}


def _of_a_file(pipeline: Pipeline, steps: Sequence[PublishedStep]) -> tuple[Stage, str, dict[str, Input]]:
    """Return the same of a file of the user."""
    stage = pipeline.stages[of_role(pipeline.stages, INTEGERS)]
    step = next(step for step in steps if step.stage.name == stage.name)
    return stage, _OF_A_FILE, {"network": step.inputs["network"], "integers": step.artefact.input}


def _drawing(repository: Path) -> Stage:
    """Return the stage whose environment draws, which a network of the user's own does not go through."""
    stages = load_stages(repository)
    return stages[of_role(stages, REFERENCE)]


def _run(pipeline: Pipeline, wanted: StageRun) -> None:
    for folder in (wanted.output, wanted.scratch):
        folder.mkdir()
    code = pipeline.backend.run(wanted)
    if code:
        raise pipeline.store.failed("explain", wanted.scratch, code, "Nothing was explained; the reason is above.")


def _kept(volumes: Path, made: Path, drawn: Path, artefacts: Collection[str]) -> Path:
    """Put what was made of `artefacts` into a folder of its digest; return it."""
    found = json.loads((made / _FOUND).read_text())
    result = volumes / "explain" / f"{Path(found['network']).stem}-{digest(found)[:16]}"
    result.parent.mkdir(exist_ok=True)
    shutil.rmtree(result, ignore_errors=True)
    result.mkdir()
    shutil.copy(made / _FOUND, result)
    shutil.copy(drawn / "explain.png", result)
    (result / "explain.txt").write_text(said(found) + "\n")
    write_json(result / EXPLAINED, {"artefacts": sorted(artefacts)})
    return result
