"""`make estimate-file FILE=`: what networks read off every channel of a recording, beside two DFTs.

Without variables that choose a network, the ready ones of this checkout are taken; with ONNX= a folder of the same
form; else the published run, and for channels of a kind that it is not trained for the ready network of that kind. One
step in the environment of the stage that writes such networks, in a container or not. The result is no artefact:
`volumes/estimates/<file>-<key>/`.
"""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from microstage.errors import ArtefactError, ParameterError
from microstage.files.canonical import digest, file_digest
from microstage_runner.artefacts import ready_networks
from microstage_runner.artefacts.inputs import Input, opened
from microstage_runner.artefacts.places import Place
from microstage_runner.commands.planned import Planned
from microstage_runner.declarations.stages import REFERENCE, Stage, of_role
from microstage_runner.engines.stage_run import StageRun
from microstage_runner.pipeline.page import print_made
from microstage_runner.pipeline.pipeline import Pipeline
from microstage_runner.pipeline.rendering import render
from microstage_runner.pipeline.step import PublishedStep
from microstage_runner.process import DOOR
from microstage_runner.session import Session

__all__ = ["command", "estimate_file", "planned"]

_FREQUENCIES = ("50", "60")
_SUFFIXES = (".cfg", ".cff", ".csv", ".tsv")
_OF_THE_RECORDING = ("FILE", "CHANNEL", "FREQUENCY")
_OF_THE_MACHINE = ("HOST", "MEMORY", "PYTHON", "RUNNER", "STAGES_ON", "VENDOR", "VOLUMES")

Typed = Mapping[str, str]
Pipelines = Callable[[dict[str, str]], Pipeline]
Networks = dict[str, tuple[Input, str]]  # by kind of channel: and where it is from, to be shown


def command(typed: dict[str, str], repository: Path) -> None:
    """Estimate FILE=. Its CHANNEL= may be a name in the file, so that the networks are chosen without it."""
    result, said = estimate_file(typed, lambda chosen: Session.of("estimate-file", repository, chosen).pipeline())
    print_made(lambda: _page(typed, result, said))


def planned(typed: dict[str, str], repository: Path) -> list[Planned]:
    """Return no run: an estimation takes networks that are there."""
    _recording(typed.get("FILE"))
    _frequency(typed)
    chosen = {name: value for name, value in typed.items() if name not in _OF_THE_RECORDING}
    Session.of("estimate-file", repository, chosen)
    return []


def _page(typed: Typed, result: Path, networks: Mapping[str, str]) -> Path:
    """Make the page of what was estimated, and return where it is."""
    page = result.parents[1] / "report" / f"{result.name}.html"
    words = [f"{name}={shlex.quote(value)}" for name, value in typed.items() if name not in _OF_THE_MACHINE]
    asked = {"recording": str(result), "called": Path(typed["FILE"]).name, "networks": dict(networks)}
    render({**asked, "command": " ".join([DOOR, "estimate-file", *words])}, page)
    return page


def estimate_file(typed: Typed, pipeline_of: Pipelines) -> tuple[Path, dict[str, str]]:
    """Print and draw; return the folder with all of it, and which network read each kind of channel.

    `MicrostageError` for bad input, which leaves nothing behind.
    """
    path, frequency = _recording(typed.get("FILE")), _frequency(typed)
    pipeline, networks = _networks(typed, pipeline_of)
    for kind, (_, said) in networks.items():
        print(f"network for {kind}: {said}", flush=True)
    taken = {file.name: file_digest(file) for file in _files(path)}
    inputs = {kind: network for kind, (network, _) in networks.items()}
    recording = Input(path.parent, taken, partial(_files, path), "it was first read", "run the same command again")
    asked = {"file": path.name, "channel": typed.get("CHANNEL", ""), "frequency": int(frequency)}
    key = digest([taken, asked, {kind: network.digest for kind, network in inputs.items()}])[:16]
    result = pipeline.store.volumes / "estimates" / f"{path.stem}-{key}"
    with Place(pipeline.store.volumes, "estimate") as made:
        with opened({"recording": recording, **inputs}, "it was estimated") as folders:
            output = _estimated(pipeline, folders, made, asked)
        result.parent.mkdir(exist_ok=True)
        shutil.rmtree(result, ignore_errors=True)
        output.rename(result)
    print(f"\nresult: {result}")
    return result, {kind: said for kind, (_, said) in networks.items()}


def _recording(name: str | None) -> Path:
    if not name:
        raise ParameterError(
            "FILE= is missing: a COMTRADE record (.cff, or .cfg with its .dat beside it) or a CSV file."
        )
    path = Path(name).resolve()
    if path.suffix.lower() not in _SUFFIXES:
        raise ParameterError(f"FILE={name} is neither .cfg or .cff (COMTRADE) nor .csv or .tsv.")
    if not (path.is_file() and os.access(path, os.R_OK)):
        raise ParameterError(f"FILE={name} is not a file that can be read.")
    return path


def _frequency(typed: Typed) -> str:
    """Return FREQUENCY=, "0" where it was not typed."""
    frequency = typed.get("FREQUENCY", "0")
    if frequency not in (*_FREQUENCIES, "0") or typed.get("FREQUENCY") == "0":
        raise ParameterError(
            f"FREQUENCY={frequency} is not allowed: expected 50 or 60, the nominal mains frequency of the recording."
        )
    return frequency


def _files(path: Path) -> list[Path]:
    """Return the recording's own files: a configuration's data lie beside it under the same stem."""
    if path.suffix.lower() != ".cfg":
        return [path]
    return [
        path,
        *(p for p in path.parent.glob("*") if p.stem.lower() == path.stem.lower() and p.suffix.lower() == ".dat"),
    ]


def _networks(typed: Typed, pipeline_of: Pipelines) -> tuple[Pipeline, Networks]:
    """Return (where the step runs, {kind: network}); raise `ArtefactError` where there is none."""
    machine = {name: value for name, value in typed.items() if name in _OF_THE_MACHINE}
    choice = {name: value for name, value in typed.items() if name not in (*_OF_THE_RECORDING, *_OF_THE_MACHINE)}
    pipeline = pipeline_of(machine)
    if "ONNX" in choice:
        if others := sorted(choice.keys() - {"ONNX"}):
            raise ParameterError(
                f"{others[0]}={choice[others[0]]} is nothing that ONNX={choice['ONNX']} uses: leave one of them out."
            )
        given = ready_networks.of_folder(choice["ONNX"], _stage(pipeline).name)
        return pipeline, {kind: (network, choice["ONNX"]) for kind, network in given.items()}
    ready = ready_networks.of_checkout(_stage(pipeline).folder)
    at_hand = {kind: (network, "ready, of this checkout") for kind, network in ready.items()}
    if not choice:
        if not at_hand:
            raise ArtefactError(
                "There is no ready network in this checkout; `make ready` makes them, RUN= takes one of your own."
            )
        return pipeline, at_hand
    published = _published(typed, {**machine, **choice}, pipeline_of)
    said = {
        kind: f"{step.stage.name} {step.about['key'][:16]} in {step.artefact.path}" for kind, step in published.items()
    }
    return pipeline, {**at_hand, **{kind: (step.artefact.input, said[kind]) for kind, step in published.items()}}


def _published(typed: Typed, choice: dict[str, str], pipeline_of: Pipelines) -> dict[str, PublishedStep]:
    """Return {kind: the step whose artefact is a network for it} of what was chosen; for every
    kind, where it has none.
    """
    first = pipeline_of(choice)
    kind_of = _parameter(first, "channel")
    if "RUN" in choice or kind_of is None:
        step = _artefact(first)
        found = {kind: step for kind in ready_networks.KINDS if kind_of in (None, kind)} if step else {}
    else:
        found = {
            kind: step for kind in ready_networks.KINDS if (step := _trained_for(kind, typed, choice, pipeline_of))
        }
    if not found:
        raise ArtefactError(
            f"No network of this selection is published; `make {_stage(first).name}` with the same variables makes one"
            " (not FILE or CHANNEL)."
        )
    return found


def _trained_for(kind: str, typed: Typed, choice: dict[str, str], pipeline_of: Pipelines) -> PublishedStep | None:
    """Return the best first: a network sees 64 samples a cycle, and does not know whether of 50 or of 60 Hz."""
    for frequency in sorted(_FREQUENCIES, key=lambda other: other != typed.get("FREQUENCY", "60")):
        step = _artefact(pipeline_of({**choice, "CHANNEL": kind, "FREQUENCY": frequency}))
        if step:
            return step
    return None


def _artefact(pipeline: Pipeline) -> PublishedStep | None:
    """Return the step that writes the network, if it is published and trusted; else None."""
    wanted = _stage(pipeline).name
    *_, step = pipeline.steps(wanted)
    if step.stage.name != wanted or not isinstance(step, PublishedStep):
        return None
    pipeline.store.keys.require(step.artefact)
    return step


def _stage(pipeline: Pipeline) -> Stage:
    """Return the stage that writes what an estimation reads, and in whose environment it runs."""
    return pipeline.stages[of_role(pipeline.stages, REFERENCE)]


def _parameter(pipeline: Pipeline, name: str) -> str | None:
    return next((own[name] for own in pipeline.parameters.values() if name in own), None)


def _estimated(pipeline: Pipeline, inputs: Mapping[str, Path], made: Path, asked: Mapping[str, object]) -> Path:
    """Return the folder with what the step left."""
    output, scratch = made / "out", made / "out.scratch"
    output.mkdir()
    scratch.mkdir()
    code = pipeline.backend.run(
        StageRun(_stage(pipeline), inputs, asked, output, scratch, module="microstage.estimation")
    )
    if code:
        raise pipeline.store.failed(
            "estimate-file", scratch, code, "Nothing was estimated and nothing written; the reason is above."
        )
    (output / "report.json").unlink()
    return output
