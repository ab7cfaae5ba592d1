"""Ready networks: `make ready` puts them into the checkout; an estimation takes them, or a folder of one's own.

Such a folder holds what the stage of the reference wrote: `interface.json` and the graphs that it names. `ready.json`
beside them says what kind of channel the network is for, what it was made of, and each file's SHA-256; a folder of
one's own may lack it.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from microstage.errors import ArtefactError, ParameterError
from microstage.files.canonical import file_digest, write_json
from microstage.untrusted.onnx_file import inside_folder
from microstage_runner.artefacts.artefact import Artefact
from microstage_runner.artefacts.inputs import Input
from microstage_runner.artefacts.places import Place

__all__ = ["KINDS", "of_checkout", "of_folder", "put"]

KINDS = ("current", "voltage")
_CARD, _INTERFACE = "ready.json", "interface.json"
_LARGEST = 1 << 20  # of a description


def of_checkout(stage: Path) -> dict[str, Input]:
    """Return {kind: network} of those in the folder of the stage that writes such networks."""
    return {kind: _input(folder) for kind in KINDS if (folder := stage / "ready" / kind).is_dir()}


def of_folder(text: str, stage: str) -> dict[str, Input]:
    """Return {kind: network} of ONNX=`text`, a folder as `stage` writes it or a file in it.

    It is for the kind that it says, or for every one.
    """
    folder = Path(text).resolve()
    folder = folder if folder.is_dir() else folder.parent
    if not (folder / _INTERFACE).is_file():
        raise ParameterError(
            f"ONNX={text} has no {_INTERFACE}: expected a folder with what {stage} writes,"
            " its graphs and their interface."
        )
    kind = _json(folder / _CARD).get("channel") if (folder / _CARD).is_file() else None
    return {known: _input(folder) for known in KINDS if kind in (None, known)}


def put(stage: Path, volumes: Path, kind: str, artefact: Artefact, made_of: Mapping[str, Any]) -> Path:
    """Copy what an estimation needs of the `artefact` to where `of_checkout` looks, in place of what was there."""
    target, source = stage / "ready" / kind, artefact.checked()
    target.parent.mkdir(parents=True, exist_ok=True)
    with Place(volumes, "ready") as made:
        for name in _named(source):
            shutil.copyfile(source / name, made / name)
        files = {name: file_digest(made / name) for name in _named(source)}
        write_json(made / _CARD, {"channel": kind, "files": files, "made_of": made_of})
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(made, target)
    return target


def _input(folder: Path) -> Input:
    """Return the folder as a step reads it: as its `ready.json` says, else as it is now."""
    names = _named(folder)
    said = (
        _json(folder / _CARD)["files"]
        if (folder / _CARD).is_file()
        else {name: file_digest(folder / name) for name in names}
    )
    return Input(
        folder, said, partial(_paths, folder, names), "it was put there", "restore it, or make it anew (`make ready`)"
    )


def _paths(folder: Path, names: list[str]) -> list[Path]:
    return [folder / name for name in names if (folder / name).exists()]


def _named(folder: Path) -> list[str]:
    """Return `interface.json`, and the graphs that it names."""
    try:
        files = [part["file"] for part in _json(folder / _INTERFACE)["parts"].values()]
        if all(inside_folder(name) for name in files):
            return sorted({_INTERFACE, *files})
    except (KeyError, TypeError, AttributeError):
        pass
    raise ArtefactError(f"{folder / _INTERFACE} names no parts in files beside it.")


def _json(path: Path) -> Any:
    try:
        if path.stat().st_size <= _LARGEST:
            return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        pass
    raise ArtefactError(f"{path} cannot be read as a description in JSON.")
