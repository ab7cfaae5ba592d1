"""The manifest of an artefact: as it is, and with every digest in it made to fit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from microstage.errors import ArtefactError
from microstage.files.canonical import canonical_json, digest
from microstage_runner.artefacts import artefact
from microstage_runner.artefacts.recipe import key_of

__all__ = ["read"]


def read(data: bytes, folder: Path) -> None:
    """Read `data` as a manifest, and hash the files that it lists."""
    (folder / artefact.MANIFEST).write_bytes(data)
    try:
        _used(folder, "train", "0" * 64)
    except ArtefactError:
        pass  # for its digests, mostly
    about = _fitted(data)
    if about is not None:
        files = about.pop("files")
        (folder / artefact.MANIFEST).write_bytes(canonical_json(artefact.manifest_of(about, files)))
        _used(folder, about["stage"], about["key"])


def _used(folder: Path, stage: str, key: str) -> None:
    found = artefact.read(folder, stage, key)
    _ = found.digest, found.statements, found.parameters, found.metrics, found.run
    found.verify()


def _fitted(data: bytes) -> dict[str, Any] | None:
    """Return what a manifest says, with "files" and with digests that fit; None where it has no room for them."""
    try:
        manifest = json.loads(data)
        about = manifest["microstage"]
        recipe = {name: value for name, value in about["recipe"].items() if name != "digest"}
        about["recipe"] = {**recipe, "digest": digest(recipe)}
        about["files"] = {entry["name"]: entry["digest"]["sha256"] for entry in manifest["subject"]}
        about["key"] = key_of(about)
        artefact.manifest_of({name: value for name, value in about.items() if name != "files"}, about["files"])
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError):
        return None
    return dict(about)
