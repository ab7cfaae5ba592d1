"""`make quantisers NETWORKS="resnet8 dae"`: methods of quantising beside brevitas' own flow, on trained weights.

Each network is trained where it is not yet; then its family's module `methods` compares them in the environment
that it was trained in. Tables go to volumes/quantisers as JSON and Markdown, with a picture of each network.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from microstage import models
from microstage.errors import ParameterError
from microstage.files.canonical import digest, write_json
from microstage.process.text_table import table
from microstage_runner.artefacts.inputs import opened
from microstage_runner.artefacts.places import Place
from microstage_runner.commands.planned import Planned
from microstage_runner.declarations.family_modules import family_module
from microstage_runner.declarations.spelling import declared_name
from microstage_runner.declarations.stages import TRAINING, of_role
from microstage_runner.engines.stage_run import StageRun
from microstage_runner.pipeline.pipeline import Pipeline
from microstage_runner.pipeline.step import PublishedStep
from microstage_runner.session import Session

__all__ = ["command", "planned"]

_MODULE = "methods"  # of a family
_HEAD = ("method", "relative L2", "- brevitas' (95 %)", "{figure}", "- brevitas' (95 %)")


def planned(typed: dict[str, str], repository: Path) -> list[Planned]:
    """Return the training of every network."""
    sessions = _sessions(typed, repository)
    return [Planned(name, session, of_role(session.stages, TRAINING)) for name, session in sessions.items()]


def command(typed: dict[str, str], repository: Path) -> int:
    """Print the table of every network, and write all of them."""
    found: list[Mapping[str, Any]] = []
    pictures: dict[str, bytes] = {}
    for name, session in _sessions(typed, repository).items():
        pipeline = session.pipeline(loud=not found)
        *_, trained = pipeline.run(of_role(session.stages, TRAINING))
        compared, pictures[f"{name}.png"] = _compared(pipeline, trained)
        found.append(compared)
        print("\n" + "\n".join([_title(compared), *table(*_table(compared))]) + "\n", flush=True)
    print(f"all of it, with pictures: {_write(session.volumes / 'quantisers', found, pictures)}")
    return 0


def _sessions(typed: Mapping[str, str], repository: Path) -> dict[str, Session]:
    """Return the selection of every network."""
    if "MODEL" in typed:
        raise ParameterError(f"make quantisers takes a list: NETWORKS={typed['MODEL']} in place of MODEL=.")
    own = {name: value for name, value in typed.items() if name != "NETWORKS"}
    names = _networks(typed.get("NETWORKS", ""))
    return {name: Session.of("quantisers", repository, {**own, "MODEL": name}) for name in names}


def _networks(listed: str) -> list[str]:
    """Return the networks of a list with blanks or commas between them, or all that methods are compared on."""
    known = [name for name in models.models() if family_module(name, _MODULE)]
    chosen = [declared_name(name, known, "NETWORKS") for name in listed.replace(",", " ").split()] or known
    for name in chosen:
        if name not in known:
            raise ParameterError(
                f"NETWORKS={name} is none that methods are compared on: expected some of {' '.join(known)}."
            )
    return chosen


def _compared(pipeline: Pipeline, trained: PublishedStep) -> tuple[Mapping[str, Any], bytes]:
    """Return what the comparison of one network found, and its picture."""
    with Place(pipeline.store.volumes, "quantisers") as place, opened(trained.inputs, "quantisers ran") as folders:
        output, scratch = place / "output", place / "scratch"
        inputs = {**folders, "trained": trained.artefact.checked()}
        for folder in (output, scratch):
            folder.mkdir()
        module = family_module(pipeline.model, _MODULE) or ""
        run = StageRun(trained.stage, inputs, trained.about["parameters"], output, scratch, module)
        code = pipeline.backend.run(run)
        if code:
            raise pipeline.store.failed("quantisers", scratch, code, "Nothing was compared; the reason is above.")
        return json.loads((output / "quantisers.json").read_text()), (output / "quantisers.png").read_bytes()


def _table(compared: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    head = [column.format(figure=compared["figure"]) for column in _HEAD]
    return head, [_cells(row) for row in compared["rows"]]


def _cells(row: Mapping[str, Any]) -> list[str]:
    against = row.get("against", {})
    return [
        row["method"],
        f"{row['relative_l2']:.4f}",
        _interval(against.get("relative_l2"), "+.4f"),
        f"{row['figure']:.4f}",
        _interval(against.get("figure"), "+.4f"),
    ]


def _interval(ends: Sequence[float] | None, form: str) -> str:
    return f"{ends[0]:{form}} ({ends[1]:{form}} to {ends[2]:{form}})" if ends else ""


def _title(compared: Mapping[str, Any]) -> str:
    return f"{compared['network']}: {compared['origin']}"


def _write(folder: Path, found: Sequence[Mapping[str, Any]], pictures: Mapping[str, bytes]) -> Path:
    """Write `quantisers.json`, `quantisers.md` and the pictures into a folder of their digest; return it."""
    result = folder / digest(found)[:16]
    shutil.rmtree(result, ignore_errors=True)
    result.mkdir(parents=True)
    write_json(result / "quantisers.json", found)
    (result / "quantisers.md").write_text("\n".join(line for one in found for line in _markdown(one)))
    for name, picture in pictures.items():
        (result / name).write_bytes(picture)
    return result


def _markdown(compared: Mapping[str, Any]) -> Iterator[str]:
    head, rows = _table(compared)
    yield from (f"## {_title(compared)}", "", f"| {' | '.join(head)} |", "|---|" + "---:|" * (len(head) - 1))
    yield from (f"| {' | '.join(cells)} |" for cells in rows)
    yield ""
