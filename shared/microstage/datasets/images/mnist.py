"""MNIST: handwritten digits, 60,000 to train on and 10,000 to test on, 28 x 28 grey levels.

LeCun, Cortes, Burges. The IDX files as published, gzipped or not, under any of the names that archives give them; or,
for either half, an .npz with `x` and `y`; or Keras' mnist.npz.
"""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

from microstage.datasets.images.image_set import LabelledImages, bytes_of, checked, from_archive
from microstage.datasets.locations import unpacked
from microstage.errors import DatasetError

__all__ = ["SHAPE", "read"]

SHAPE = (1, 28, 28)
_HALVES = {"train": "mnist_train*.npz", "t10k": "mnist_test*.npz"}
_KINDS = {"images-idx3-ubyte": 3, "labels-idx1-ubyte": 1}  # with the number of dimensions, which the files state too
_KERAS = ("mnist.npz", {"train": "_train", "t10k": "_test"})
_UNSIGNED_BYTES = 0x08


def read(folder: Path) -> tuple[LabelledImages, LabelledImages]:
    """Return (images to train on, images to test on) from the files in `folder`, or where archives unpack to in it.

    `DatasetError` names what is missing or damaged.
    """
    train, test = (_half(unpacked("mnist", folder) or folder, half) for half in _HALVES)
    return train, test


def _half(folder: Path, half: str) -> LabelledImages:
    archives = sorted(folder.glob(_HALVES[half]))
    images, labels = (_found(folder, f"{half}-{kind}") for kind in _KINDS)
    if images is not None and labels is not None:
        return _pair(images, labels)
    if archives:
        return from_archive(archives[0], SHAPE[1:])
    keras, halves = _KERAS
    if (folder / keras).is_file():
        return from_archive(folder / keras, SHAPE[1:], halves[half])
    missing = next(kind for kind, path in zip(_KINDS, (images, labels)) if path is None)
    raise DatasetError(f"{folder} has no {half}-{missing}.gz; `make data DATASET=mnist` downloads it.")


def _pair(images: Path, labels: Path) -> LabelledImages:
    pixels, classes = (_idx(path, rank) for path, rank in zip((images, labels), _KINDS.values()))
    if pixels.shape[1:] != SHAPE[1:]:
        raise DatasetError(f"{images} holds images of {list(pixels.shape[1:])}, expected {list(SHAPE[1:])}.")
    return checked(LabelledImages(pixels[:, None], classes), str(images))


def _found(folder: Path, name: str) -> Path | None:
    """Return the file `name`: as published, with a dot as it unpacks, packed or not, or in a folder of its own name."""
    names = [f"{one}{ending}" for one in (name, name.replace("-idx", ".idx")) for ending in ("", ".gz")]
    return next(
        (
            path
            for one in names
            for path in (folder / one, *(folder / above / one for above in names))
            if path.is_file()
        ),
        None,
    )


def _idx(path: Path, rank: int) -> np.ndarray:
    """Read an IDX file.

    Two zero bytes, the type, the number of dimensions, each dimension in 32 bits (big-endian), the values.
    """
    content = bytes_of(path)
    header = 4 + 4 * rank
    if len(content) < header or content[:4] != bytes((0, 0, _UNSIGNED_BYTES, rank)):
        raise DatasetError(f"{path} is no IDX file of {rank}-dimensional bytes.")
    shape = struct.unpack(f">{rank}I", content[4:header])
    if len(content) - header != int(np.prod(shape, dtype=object)):
        raise DatasetError(
            f"{path} holds {len(content) - header} values, its header says {' x '.join(map(str, shape))}."
        )
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)
