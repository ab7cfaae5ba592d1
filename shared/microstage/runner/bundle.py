"""One file that carries a stage to another machine, or its artefact home: a tar whose first member lists all others by SHA-256.

A bundle is refused, with one sentence and nothing left behind, when it is cut short, when a member differs from the
list, is missing, is not listed, or is anything but a plain file inside the bundle.
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import tarfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from microstage.canonical import canonical_json, digest, file_digest
from microstage.errors import IntegrityError
from microstage.progress import progress
from microstage.writing import replacing

__all__ = ["extract", "read_index", "write"]

_FORMAT = "microstage bundle 1"
_INDEX = "bundle.json"
_LARGEST_INDEX = 1 << 26
_BLOCK = 1 << 20


def write(path: Path, about: Mapping[str, Any], files: Mapping[str, Path]) -> None:
    """`files` {name inside: file} behind an index of `about` and their digests; written beside, then renamed."""
    listed = {name: {"sha256": file_digest(file), "size": file.stat().st_size} for name, file in sorted(files.items())}
    body = {"format": _FORMAT, **about, "files": listed}
    index = canonical_json({**body, "digest": digest(body)})
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as file, tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive:
        _add(archive, _INDEX, len(index), io.BytesIO(index))
        for name in progress(listed, len(listed), f"packing {path.name}"):
            with files[name].open("rb") as handle:
                _add(archive, name, listed[name]["size"], handle)


def read_index(path: Path) -> dict[str, Any]:
    """What the bundle says of itself; `IntegrityError` if it is no bundle."""
    try:
        with tarfile.open(path, "r:") as archive:
            return _index(path, archive)
    except (tarfile.TarError, EOFError):
        raise IntegrityError(f"{path} is no microstage bundle.") from None


def extract(path: Path, folder: Path) -> dict[str, Any]:
    """Write every file under the new `folder` and return the index; whatever is wrong, `folder` is gone again."""
    folder.mkdir(parents=True)
    try:
        with tarfile.open(path, "r:") as archive:
            index = _index(path, archive)
            missing = dict(index["files"])
            for member in archive:
                if member.name == _INDEX:
                    continue
                if member.name not in missing or not member.isreg():
                    raise IntegrityError(f"{path} holds {member.name!r}, which its index does not list; it was changed after packing.")
                _take(path, archive, member, folder, missing.pop(member.name))
        if missing:
            raise IntegrityError(f"{path} is cut short: {min(missing)} is missing.")
        return index
    except (tarfile.TarError, EOFError):
        shutil.rmtree(folder)
        raise IntegrityError(f"{path} is cut short or is no microstage bundle.") from None
    except BaseException:
        shutil.rmtree(folder)
        raise


def _add(archive: tarfile.TarFile, name: str, size: int, handle) -> None:
    member = tarfile.TarInfo(name)
    member.size = size
    archive.addfile(member, handle)


def _index(path: Path, archive: tarfile.TarFile) -> dict[str, Any]:
    member = archive.next()
    if member is None or member.name != _INDEX or not member.isreg() or member.size > _LARGEST_INDEX:
        raise IntegrityError(f"{path} is no microstage bundle.")
    try:
        index = json.loads(archive.extractfile(member).read())
        if index.pop("digest") != digest(index):
            raise IntegrityError(f"{path} has an index that was changed after packing.")
        if index["format"] != _FORMAT:
            raise IntegrityError(f"{path} is a {index['format']!r}; this version reads {_FORMAT!r}.")
        for name, entry in index["files"].items():
            if not _inside(name) or len(entry["sha256"]) != 64 or entry["size"] < 0:
                raise IntegrityError(f"{path} lists {name!r}, which is no file inside a bundle.")
    except (ValueError, KeyError, TypeError, AttributeError):
        raise IntegrityError(f"{path} has an index that cannot be read; it was changed after packing.") from None
    return index


def _inside(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return bool(parts) and name == "/".join(parts) and not name.startswith("/") and ".." not in parts and "\0" not in name


def _take(path: Path, archive: tarfile.TarFile, member: tarfile.TarInfo, folder: Path, entry: Mapping[str, Any]) -> None:
    target = folder / member.name
    target.parent.mkdir(parents=True, exist_ok=True)
    sha, source = hashlib.sha256(), archive.extractfile(member)
    with target.open("xb") as handle:
        while block := source.read(_BLOCK):
            sha.update(block)
            handle.write(block)
    if sha.hexdigest() != entry["sha256"] or member.size != entry["size"]:
        raise IntegrityError(f"{path}: {member.name} is not what was packed; fetch the bundle again.")
