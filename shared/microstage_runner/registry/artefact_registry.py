"""Artefacts in an OCI registry: pushed once, and pulled instead of made.

An artefact is an OCI image manifest of type `ARTEFACT`, tagged <registry>/microstage/artefacts/<stage>:<key>: its
config is the artefact's manifest.json, and each file is one layer, as it is, under its SHA-256. What comes back is
believed where the files are those of its manifest.json and this one is of the key that was wanted.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from microstage.errors import ConflictError, IntegrityError
from microstage.process.progress import progress
from microstage.untrusted.bounds import assert_room
from microstage.untrusted.paths import clashing, inside
from microstage_runner.artefacts.artefact import MANIFEST, Artefact
from microstage_runner.artefacts.places import Place
from microstage_runner.artefacts.store import Store, foreign
from microstage_runner.registry.descriptors import MANIFEST_TYPE, describe
from microstage_runner.signing import in_registry

if TYPE_CHECKING:
    from microstage_runner.registry.client import Registry

__all__ = ["ARTEFACT", "KEY_CHARACTERS", "fetch", "names", "pushed_or_not"]

ARTEFACT = "application/vnd.microstage.artefact.v1"
_CONFIG = "application/vnd.microstage.manifest.v1+json"
_TITLE = "org.opencontainers.image.title"
_DIGEST = re.compile("sha256:[0-9a-f]{64}")
KEY_CHARACTERS = 16
_LARGEST_MANIFEST = 1 << 26  # of an artefact


def pushed_or_not(registry: Registry, artefact: Artefact) -> bool:
    """Push an artefact; False if it is there already, `ConflictError` if other bytes are, which are left alone."""
    stage, key = artefact.about["stage"], artefact.about["key"]
    folder = artefact.checked()
    manifest = _oci_manifest(artefact, folder)
    repository, tag = names(stage, key)
    there = registry.manifest(repository, tag)
    if there is not None:
        where = f"{registry.name}/{repository}:{tag}"
        if _files(there, where) != _files(manifest, where):
            raise ConflictError(f"{where} holds other bytes than {artefact.path}, under one key; nothing was pushed.")
        return False
    for layer in progress(manifest["layers"], len(manifest["layers"]), f"pushing {stage}"):
        registry.put_blob(repository, folder / layer["annotations"][_TITLE], layer["digest"])
    registry.put_blob(repository, folder / MANIFEST, manifest["config"]["digest"])
    registry.put_manifest(repository, tag, manifest)
    return True


def fetch(registry: Registry, store: Store, stage: str, key: str) -> Artefact | None:
    """Return the artefact of a key, pulled and published here; None if the registry has none, `IntegrityError` if it is
    not sound.
    """
    repository, tag = names(stage, key)
    where = f"{registry.name}/{repository}:{tag}"
    manifest = registry.manifest(repository, tag)
    if manifest is None:
        return None
    files = _files(manifest, where)
    with Place(store.volumes, f"{stage}-pulled") as place:
        assert_room(place, sum(size for _, size in files.values()), len(files))
        folder = place / "out"
        folder.mkdir()
        registry.fetch_blob(repository, manifest["config"]["digest"], manifest["config"]["size"], folder / MANIFEST)
        if foreign(folder, stage, key).files != {
            name: digest.removeprefix("sha256:") for name, (digest, _) in files.items()
        }:
            raise IntegrityError(f"{where} does not hold the files that its {MANIFEST} lists; nothing was published.")
        for name in progress(files, len(files), f"pulling {stage}"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            registry.fetch_blob(repository, *files[name], folder / name)
        in_registry.fetch(registry, repository, tag, folder)
        return store.adopt(stage, key, folder)


def names(stage: str, key: str) -> tuple[str, str]:
    return f"microstage/artefacts/{stage}", key[:KEY_CHARACTERS]


def _oci_manifest(artefact: Artefact, folder: Path) -> dict[str, Any]:
    layers = [describe(folder / name, "application/octet-stream", **{_TITLE: name}) for name in sorted(artefact.files)]
    config = describe(folder / MANIFEST, _CONFIG)
    return {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "artifactType": ARTEFACT,
        "config": config,
        "layers": layers,
    }


def _files(manifest: dict[str, Any], where: str) -> dict[str, tuple[str, int]]:
    """Return {file: (digest, size)} of an OCI manifest of ours; it and its config's descriptor are sound after this."""
    try:
        found = {layer["annotations"][_TITLE]: (layer["digest"], layer["size"]) for layer in manifest["layers"]}
        sound = manifest["artifactType"] == ARTEFACT and len(found) == len(manifest["layers"])
        config = manifest["config"]["digest"], manifest["config"]["size"]
        sound = sound and all(
            _DIGEST.fullmatch(digest) and type(size) is int and size >= 0 for digest, size in [config, *found.values()]
        )
        sound = sound and all(inside(name) and name != MANIFEST for name in found) and not clashing(found)
    except (KeyError, TypeError, AttributeError):
        sound = False
    if not sound or config[1] > _LARGEST_MANIFEST:
        raise IntegrityError(f"{where} is not an artefact of microstage; nothing was taken from it.")
    return found
