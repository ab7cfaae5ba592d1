"""Weights that torch saved: as they are, and with right checksums."""

from __future__ import annotations

from pathlib import Path

from microstage.errors import IntegrityError
from microstage.untrusted.weights import read_weights
from microstage_fuzz.readers.zips import fitted

__all__ = ["read"]


def read(data: bytes, folder: Path) -> None:
    """Read `data` as a file of weights."""
    path = folder / "weights.pth"
    path.write_bytes(data)
    try:
        read_weights(path)
    except IntegrityError:
        pass  # for a checksum, mostly
    content = fitted(data)
    if content is not None:
        path.write_bytes(content)
        read_weights(path)
