"""FPGAI's bytes: `{name}_weight.bin` has all weights as uint8, `{name}_bias.bin` all biases as int32 of the lowest byte
first, with nothing between layers; `{name}_quant.txt` is text. Shapes are not in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from microstage.errors import IntegrityError
from microstage.files.atomic import write_whole
from microstage.fpgai.layer import QuantisedLayer, Shapes, content, joined, sizes
from microstage.fpgai.quantisation_text import read_numbers, write_numbers

__all__ = ["read_binary", "write_binary"]


def write_binary(folder: Path, name: str, layers: Sequence[QuantisedLayer]) -> None:
    """Write the three files of a network called `name`."""
    write_whole(folder / f"{name}_weight.bin", b"".join(layer.weight.astype("u1").tobytes() for layer in layers))
    write_whole(folder / f"{name}_bias.bin", b"".join(layer.bias.astype("<i4").tobytes() for layer in layers))
    write_numbers(folder / f"{name}_quant.txt", layers)


def read_binary(folder: Path, name: str, shapes: Shapes) -> list[QuantisedLayer]:
    """Return the layers of a network called `name`, whose weights have `shapes` [out, ...].

    Raise `IntegrityError` where the files are not of this network, or cut off.
    """
    weights = _split(folder / f"{name}_weight.bin", "u1", sizes(shapes))
    biases = _split(folder / f"{name}_bias.bin", "<i4", [shape[0] for shape in shapes])
    path = folder / f"{name}_quant.txt"
    numbers = read_numbers(path)
    if len(numbers) != len(shapes):
        raise IntegrityError(f"{path} has {len(numbers)} lines, and the network {len(shapes)} layers.")
    return joined(weights, biases, numbers, shapes)


def _split(path: Path, kind: str, counts: Sequence[int]) -> list[np.ndarray]:
    octets, expected = content(path), sum(counts) * np.dtype(kind).itemsize
    if len(octets) != expected:
        raise IntegrityError(
            f"{path} has {len(octets)} bytes, expected {expected}: it is cut off, or of another network."
        )
    return np.split(np.frombuffer(octets, kind), np.cumsum(counts)[:-1])
