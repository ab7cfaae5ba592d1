"""A bundle: as it is, and with an index whose digest, key and length fit."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

from microstage.errors import MicrostageError
from microstage.files.canonical import canonical_json, digest
from microstage_runner.artefacts.recipe import key_of
from microstage_runner.bundles import bundle, index, trusted
from microstage_runner.process import REPOSITORY

__all__ = ["read"]

_NAME, _LARGEST = "bundle.json", 1 << 16


def read(data: bytes, folder: Path) -> None:
    """Do with `data` what `make unpack` does before anything of it runs."""
    path = folder / "bundle.tar"
    path.write_bytes(data)
    try:
        _unpacked(path, folder / "out")
    except MicrostageError:
        pass  # for its digest, mostly
    fitted = _fitted(data)
    if fitted is not None:
        path.write_bytes(fitted)
        _unpacked(path, folder / "fitted")


def _unpacked(path: Path, folder: Path) -> None:
    found = index.read(path)
    different = trusted.first_difference(found, REPOSITORY)
    if found["kind"] == "stage":
        trusted.assert_own_code(path, found, REPOSITORY, different, image=False)
    bundle.extract(path, folder)


def _fitted(data: bytes) -> bytes | None:
    """Return the bundle with an index that fits; None where it has none that is JSON."""
    try:
        size = int(data[124:135], 8)
        said = json.loads(data[512 : 512 + size])
        said.pop("digest", None)
        _with_key(said)
        text = canonical_json({**said, "digest": digest(said)})
    except (ValueError, TypeError, AttributeError, RecursionError):
        return None
    behind = data[512 + -(-size // 512) * 512 :].rstrip(b"\0")
    return _archive(text, behind, said)


def _with_key(said: dict[str, Any]) -> None:
    try:
        said["about"]["key"] = key_of(said["about"])
    except (LookupError, TypeError, ValueError, AttributeError):
        pass


def _archive(text: bytes, behind: bytes, said: dict[str, Any]) -> bytes:
    """Return the index `text` with what stands behind it, as long as `said` lists files for."""
    member = tarfile.TarInfo(_NAME)
    member.size = len(text)
    front = member.tobuf(tarfile.PAX_FORMAT) + text + bytes(-len(text) % 512)
    files = io.BytesIO()
    files.write(front + behind)
    try:
        sizes = {_NAME: len(text), **{name: entry["size"] for name, entry in said["files"].items()}}
        whole = bundle._length(sizes.items()) if all(0 <= size < _LARGEST for size in sizes.values()) else 0
    except (LookupError, TypeError, ValueError, AttributeError):
        whole = 0
    return files.getvalue().ljust(whole, b"\0")
