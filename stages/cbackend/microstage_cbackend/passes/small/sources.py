"""Find where the bytes lie that a layer reads: a copy that only orders them, or turns their signs, need not be made."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from microstage_cbackend.passes.frames import read_by
from microstage_cbackend.passes.fuse import producer
from microstage_cbackend.program.ir import Part, Tensor

__all__ = ["ImageSource", "source_of"]


class ImageSource(NamedTuple):
    """Hold the tensor that a layer reads, and the sizes of its shape that say how: `planes`: one after another."""

    tensor: Tensor
    planes: bool
    shape: dict[str, int]


def source_of(part: Part, x: Tensor, size: tuple[int, int, int], planes: bool = True) -> ImageSource:
    """Return where a layer that reads `x`, an image of `size` (height, width, channels), reads its bytes.

    `planes`: it can read channels one after another.
    """
    flip = 128 if x.ctype == "int8_t" else 0
    copy = producer(part, x)
    read = read_by(copy) if copy is not None else None
    if copy is None or read is None or read.size != np.prod(size):
        return ImageSource(x, False, {"flip": flip})
    root, name, flip = copy.inputs[0].root, copy.inputs[0].name, copy.shape.get("flip", 0)
    first = int(read[0])
    places = (read - first).reshape(size)
    if np.array_equal(places.ravel(), np.arange(read.size)):
        return ImageSource(root.view(name, places + first), False, {"flip": flip})
    if planes and np.array_equal(np.moveaxis(places, -1, 0).ravel(), np.arange(read.size)):
        return ImageSource(root.view(name, places + first), True, {"planes": size[2], "channels": 1, "flip": flip})
    return ImageSource(x, False, {"flip": 128 if x.ctype == "int8_t" else 0})
