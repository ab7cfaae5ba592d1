"""Making the page of a run, in an environment of its own; loaded where a page is missing."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from microstage.files.canonical import file_digest, write_json
from microstage_runner.artefacts import notes
from microstage_runner.artefacts.places import Place, clear
from microstage_runner.declarations.stages import FILES
from microstage_runner.engines.report_environment import report_environment, run_module
from microstage_runner.pipeline.page import title_of
from microstage_runner.pipeline.step import PublishedStep
from microstage_runner.process import DOOR

__all__ = ["asked_of", "command_of", "explanation_of", "render", "run_report"]

EXPLAINED = "of.json"
'What an explanation says it is of: {"artefacts": their digests}.'


def render(wanted: Mapping[str, Any], page: Path) -> None:
    """Write `page`, and its facts beside it; raise `EnvironmentProblem` where that cannot be done."""
    volumes = page.parents[1]
    with Place(volumes, "report") as place:
        asked, facts, made = (place / name for name in ("asked.json", "facts.json", "page.html"))
        write_json(asked, wanted)
        run_report(volumes, asked, facts, made)
        page.parent.mkdir(exist_ok=True)
        for new, kept in ((facts, page.with_suffix(".json")), (made, page)):
            clear(kept)
            new.replace(kept)


def run_report(volumes: Path, asked: Path, facts: Path, page: Path) -> None:
    """Have the report's own environment write `facts` and `page`; it needs no network and no container."""
    run_module(report_environment(volumes), volumes, "microstage_report", asked, facts, page)


def asked_of(steps: Sequence[PublishedStep], volumes: Path) -> dict[str, Any]:
    """Return what the page of a run is to be of; every file that it will read is hashed first."""
    asked = {"steps": [str(step.artefact.checked()) for step in steps], "command": command_of(steps)}
    explained = explanation_of(steps, volumes)
    return {**asked, **_own_network(steps), **({"explained": str(explained)} if explained else {})}


def _own_network(steps: Sequence[PublishedStep]) -> dict[str, str]:
    """Return what the user's own network is called, and its file, if it still is what was read; empty where there is
    none.
    """
    first, given = steps[0], steps[0].stage.user_input
    if given is None or first.stage.inputs.get(given.name) != FILES:
        return {}
    file, inside = Path(first.artefact.run.get("onnx_file", "")), next(iter(given.files.values()))
    same = file.is_file() and file_digest(file) == first.inputs[given.name].listed[inside]
    return {"called": title_of(steps), **({"network": str(file)} if same else {})}


def explanation_of(steps: Sequence[PublishedStep], volumes: Path) -> Path | None:
    """Return the folder with the newest `make explain` of a run; None where there is none."""
    own = {step.artefact.digest for step in steps}
    found = [
        path.parent
        for path in volumes.glob(f"explain/*/{EXPLAINED}")
        if own.issuperset(notes.read(path, lambda said: list(said["artefacts"])) or [""])
    ]
    return max(found, key=lambda folder: folder.stat().st_mtime, default=None)


def command_of(steps: Sequence[PublishedStep]) -> str:
    """Return the command that makes the run again: its last stage, and every variable that is not the default."""
    given: dict[str, str] = {}
    for step in steps:
        given |= dict(_typed(step)) | _places(step.artefact.run)
    words = [f"{name}={shlex.quote(value)}" for name, value in given.items()]
    return " ".join([DOOR, steps[-1].stage.name, *words])


def _typed(step: PublishedStep) -> Iterator[tuple[str, str]]:
    """Yield (variable, value) of each parameter that is not as it is by default."""
    model = str(step.artefact.parameters.get("model", ""))
    for name, value in step.artefact.parameters.items():
        declared = step.stage.parameters.get(name)
        usual = declared.of(model) if declared else None
        if usual is None or usual.default != value:
            yield name.upper(), str(int(value)) if isinstance(value, bool) else str(value)


def _places(ran: Mapping[str, Any]) -> dict[str, str]:
    """Return where the user's own files lay, by the variable that named them."""
    return {name.removesuffix("_file").upper(): str(where) for name, where in ran.items() if notes.is_place(name)}
