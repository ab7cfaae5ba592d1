"""A network of the user's in TensorFlow Lite's form: read, and brought into one form."""

from __future__ import annotations

from pathlib import Path

from microstage_fuzz.readers.networks import read_network

__all__ = ["read"]


def read(data: bytes, folder: Path) -> None:
    """Read `data` as `make streamline ONNX=` does, before its integers are made."""
    path = folder / "model.tflite"
    path.write_bytes(data)
    read_network(path)
