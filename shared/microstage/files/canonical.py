"""Canonical bytes and their digests: equal values give equal bytes on every machine."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from microstage.files.atomic import write_whole

__all__ = ["canonical_json", "digest", "file_digest", "write_json"]


def canonical_json(value: Any) -> bytes:
    """Return JSON with sorted keys, no spaces and no NaN; floats as Python's shortest round-trip form."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def digest(value: Any) -> str:
    """Return the SHA-256, in hexadecimal, of `canonical_json(value)`."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def file_digest(path: Path) -> str:
    """Return the SHA-256, in hexadecimal, of a file's bytes."""
    sha = hashlib.sha256()
    with path.open("rb") as handle:
        while block := handle.read(1 << 20):
            sha.update(block)
    return sha.hexdigest()


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON with sorted keys, for people and for digests alike, whole or not at all."""
    write_whole(path, (json.dumps(value, indent=1, sort_keys=True, allow_nan=False) + "\n").encode())
