"""A network of the user's in ONNX, up to its integers and FINN's layout, which takes a second or so."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from microstage_streamline.convert import convert
from microstage_streamline.user_file import opened

__all__ = ["read"]


def read(data: bytes, folder: Path) -> None:
    """Read `data` as `make streamline ONNX=` does, before it is proven."""
    path = folder / "model.onnx"
    path.write_bytes(data)
    with np.errstate(all="ignore"):
        convert(opened(path, "", folder / "absent.npz", "", folder).graph(), "network")
