"""Bundles that `make pack` does not write: taken apart, changed, and put together with an index
that fits them again.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from microstage.files.canonical import canonical_json, digest

INDEX = "bundle.json"


def rewritten(
    path: Path, change: Callable[[dict], Any], renamed: Mapping[str, str] = {}, added: Mapping[str, Any] = {}
) -> None:
    """Let `change` the index of a bundle, give its members other names, and add files, or drop those that are None."""
    with tarfile.open(path) as archive:
        members = {member.name: archive.extractfile(member).read() for member in archive}
    index = json.loads(members.pop(INDEX))
    del index["digest"]
    members = {renamed.get(name, name): data for name, data in {**members, **added}.items() if data is not None}
    index["files"] |= {
        n: {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
        for n, data in added.items()
        if data is not None
    }
    change(index)
    put_together(path, index, dict(sorted(members.items())))


def put_together(path: Path, index: dict, members: dict[str, bytes]) -> None:
    """A bundle of `members`, each as large and with the header that the index does not know of."""
    text = index if isinstance(index, bytes) else canonical_json({**index, "digest": digest(index)})
    with tarfile.open(path, "w") as archive:
        for name, data in {INDEX: text, **members}.items():
            archive.addfile(member(name, len(data)), io.BytesIO(data))


def member(name: str, size: int, **fields: Any) -> tarfile.TarInfo:
    """A header with any `fields`."""
    made = tarfile.TarInfo(name)
    made.size = size
    for field, value in fields.items():
        setattr(made, field, value)
    return made


def with_header(path: Path, name: str, header: bytes) -> None:
    """Put `header` in the place of that of the member `name`; the bundle stays as long as it was."""
    with tarfile.open(path) as archive:
        place = archive.getmember(name).offset
    whole = path.read_bytes()
    path.write_bytes(whole[:place] + header + whole[place + len(header) :])


def appended(path: Path, header: bytes, data: bytes = b"") -> None:
    """Put a member behind the last one, in the zeros there; the bundle stays as long as it was."""
    with tarfile.open(path) as archive:
        for _ in archive:
            pass
        end = archive.offset
    whole = path.read_bytes()
    path.write_bytes((whole[:end] + header + data).ljust(len(whole), b"\0"))
