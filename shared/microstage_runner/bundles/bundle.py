"""One file that carries a stage to another machine, or its artefact home: a tar whose first member lists the others.

`write` leaves nothing open: the index says every byte of a bundle but those of the files themselves. So nobody's tar is
parsed here. What has to stand between the files is worked out from the index and compared, as is how long the bundle
is, before anything is extracted; whatever else a tar can hold (links, sparse files, a name twice) is just another byte.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import shutil
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO, Any

from microstage.errors import ArtefactError, IntegrityError
from microstage.files.atomic import replacing
from microstage.files.canonical import canonical_json, digest, file_digest
from microstage.process.progress import progress
from microstage.untrusted.bounds import assert_room
from microstage.untrusted.json_text import parse_json
from microstage.untrusted.paths import clashing, inside
from microstage.untrusted.printable import shown

__all__ = ["extract", "read_index", "write"]

_FORMAT = "microstage bundle 1"
_INDEX = "bundle.json"
_LARGEST_INDEX = 1 << 25
_LARGEST_FILE = 1 << 40
_BLOCK = 1 << 20


def write(path: Path, about: Mapping[str, Any], files: Mapping[str, Path]) -> None:
    """Write `files` {name inside: file} behind an index of `about` and their digests, beside `path`, and rename it."""
    sizes = {name: file.stat().st_size for name, file in sorted(files.items())}
    listed = {name: {"sha256": file_digest(files[name]), "size": size} for name, size in sizes.items()}
    if flaw := _flaw(listed):
        raise ArtefactError(f"{path} cannot be packed: it {flaw}.")
    body = {"format": _FORMAT, **about, "files": listed}
    index = canonical_json({**body, "digest": digest(body)})
    if len(index) > _LARGEST_INDEX:
        raise ArtefactError(f"{path} cannot be packed: {len(listed)} files are more than a bundle has room to list.")
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as file, tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(_member(_INDEX, len(index)), io.BytesIO(index))
        for name in progress(sizes, len(sizes), f"packing {path.name}"):
            with files[name].open("rb") as handle:
                archive.addfile(_member(name, sizes[name]), handle)


def read_index(path: Path) -> dict[str, Any]:
    """Return what the bundle says of itself; raise `IntegrityError` if it is no bundle, or is not as long as its index
    makes it.
    """
    with path.open("rb") as handle:
        return _index(path, handle)


def extract(path: Path, folder: Path) -> dict[str, Any]:
    """Write every file under the new `folder` and return the index; whatever is wrong, `folder` is gone again."""
    folder.mkdir(parents=True)
    try:
        with path.open("rb") as handle:
            index = _index(path, handle)
            files = index["files"]
            assert_room(folder, sum(entry["size"] for entry in files.values()), len(files))
            for name, entry in sorted(files.items()):
                _take(path, handle, name, entry, folder / name)
            if handle.read().strip(b"\0"):
                raise IntegrityError(f"{path} holds something behind its last file; it was changed after packing.")
        return index
    except BaseException:
        shutil.rmtree(folder)
        raise


def _member(name: str, size: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size = size
    return member


def _header(name: str, size: int) -> bytes:
    """Return what `write` puts in front of a file."""
    return _member(name, size).tobuf(tarfile.PAX_FORMAT)


def _padding(size: int) -> bytes:
    return bytes(-size % tarfile.BLOCKSIZE)


def _length(sizes: Iterable[tuple[str, int]]) -> int:
    """Return how long a tar of files (name, size) is: each with its header and in blocks, two empty ones, whole
    records.
    """
    held = sum(len(_header(name, size)) + size + len(_padding(size)) for name, size in sizes)
    return -(-(held + 2 * tarfile.BLOCKSIZE) // tarfile.RECORDSIZE) * tarfile.RECORDSIZE


def _index(path: Path, handle: IO[bytes]) -> dict[str, Any]:
    """Return the index, sound; `handle` is then at the first file, and has as many bytes as the index makes it."""
    size = _size_of_index(handle.read(tarfile.BLOCKSIZE))
    if size is None:
        raise IntegrityError(f"{path} is cut short or is no microstage bundle.")
    try:
        index = parse_json(handle.read(size + len(_padding(size)))[:size])
        if index.pop("digest") != digest(index):
            raise IntegrityError(f"{path} has an index that was changed after packing.")
        if index["format"] != _FORMAT:
            raise IntegrityError(f"{path} is a {shown(index['format'])}; this version reads {_FORMAT!r}.")
        if flaw := _flaw(index["files"]):
            raise IntegrityError(f"{path} {flaw}.")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise IntegrityError(f"{path} has an index that cannot be read; it was changed after packing.") from None
    sizes = {_INDEX: size, **{name: entry["size"] for name, entry in index["files"].items()}}
    expected, found = _length(sizes.items()), os.fstat(handle.fileno()).st_size
    if found != expected:
        raise IntegrityError(f"{path} is cut short or was changed: it has {found} bytes, by its index {expected}.")
    return index


def _size_of_index(block: bytes) -> int | None:
    """Return how long the index is whose header `block` is; None if it is none."""
    try:
        member = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except (tarfile.TarError, ValueError):
        return None
    return member.size if 0 < member.size <= _LARGEST_INDEX and block == _header(_INDEX, member.size) else None


def _flaw(files: Any) -> str | None:
    """Return what is wrong with a list of files, behind the bundle's name in a sentence."""
    for name, entry in files.items():
        if not inside(name) or name == _INDEX:
            return f"lists {shown(name)}, which is no name of a file inside a bundle"
        size = entry.get("size")
        if not re.fullmatch("[0-9a-f]{64}", entry["sha256"]) or type(size) is not int or not 0 <= size < _LARGEST_FILE:
            return f"lists {shown(name)} with no SHA-256 or no size of a file"
    name = clashing(files)
    return name and f"lists {shown(name)} and a file in whose place it is, or whose name differs in case alone"


def _take(path: Path, handle: IO[bytes], name: str, entry: Mapping[str, Any], target: Path) -> None:
    """Copy the file that comes next, if it is the one expected."""
    header, left, sha = _header(name, entry["size"]), entry["size"], hashlib.sha256()
    if handle.read(len(header)) != header:
        raise IntegrityError(f"{path} holds something else where {shown(name)} belongs; it was changed after packing.")
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("xb") as copy:
        while left and (block := handle.read(min(_BLOCK, left))):
            left -= len(block)
            sha.update(block)
            copy.write(block)
    padding = _padding(entry["size"])
    if sha.hexdigest() != entry["sha256"] or handle.read(len(padding)) != padding:
        raise IntegrityError(f"{path}: {shown(name)} is not what was packed; fetch the bundle again.")
