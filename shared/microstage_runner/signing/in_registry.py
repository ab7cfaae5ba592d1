"""The envelope of an artefact in an OCI registry: under a tag of its own, so that it can come later and be added to."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from microstage.errors import IntegrityError
from microstage_runner.artefacts.artefact import ENVELOPE, MANIFEST, Artefact
from microstage_runner.registry.descriptors import MANIFEST_TYPE, describe
from microstage_runner.signing.keys import carry, largest

if TYPE_CHECKING:
    from microstage_runner.registry.client import Registry

__all__ = ["fetch", "push"]

TYPE = "application/vnd.microstage.signature.v1"
_MEDIA_TYPE = "application/vnd.dsse.envelope.v1+json"


def push(registry: Registry, repository: str, tag: str, artefact: Artefact) -> None:
    """Bring the artefact's signatures, if it has any, to those that the registry has of it."""
    if ENVELOPE not in artefact.statements:
        return
    with tempfile.TemporaryDirectory() as place:
        both = Path(place) / "both"
        both.mkdir()
        shutil.copyfile(Path(artefact.path, MANIFEST), both / MANIFEST)
        fetch(registry, repository, tag, both)
        carry(artefact, Artefact(both, artefact.manifest))
        envelope = describe(both / ENVELOPE, _MEDIA_TYPE)
        registry.put_blob(repository, both / ENVELOPE, envelope["digest"])
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST_TYPE, "artifactType": TYPE}
    registry.put_manifest(repository, _tag(tag), {**manifest, "config": envelope, "layers": [envelope]})


def fetch(registry: Registry, repository: str, tag: str, folder: Path) -> None:
    """Put the envelope of an artefact, if the registry has one, beside the manifest in `folder`."""
    manifest = registry.manifest(repository, _tag(tag))
    if manifest is None:
        return
    where = f"{registry.name}/{repository}:{_tag(tag)}"
    try:
        digest, size = manifest["config"]["digest"], manifest["config"]["size"]
        fits = type(size) is int and 0 <= size <= largest((folder / MANIFEST).stat().st_size)
        sound = manifest["artifactType"] == TYPE and isinstance(digest, str) and fits
    except (KeyError, TypeError):
        sound = False
    if not sound:
        raise IntegrityError(f"{where} is not the signature of an artefact of microstage; nothing was taken from it.")
    registry.fetch_blob(repository, digest, size, folder / ENVELOPE)


def _tag(tag: str) -> str:
    return f"{tag}.dsse"
