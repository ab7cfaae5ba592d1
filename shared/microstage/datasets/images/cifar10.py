"""CIFAR-10: small photographs of ten things, 50,000 to train on and 10,000 to test on, 32 x 32 in three colours.

Krizhevsky, 2009. The files of the binary version as published: `data_batch_1.bin` to `_5.bin`, `test_batch.bin`, 10,000
records each (label, then red, green and blue planes); or the same of the Python version, without `.bin` (`pickled`).
A part of it may come as an .npz with `x` [n, 32, 32, 3] and `y`: then some of its images are held out as a test.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from microstage.datasets.images.image_set import LabelledImages, bytes_of, checked, from_archive
from microstage.datasets.images.pickled import batch_of
from microstage.datasets.locations import unpacked
from microstage.errors import DatasetError

__all__ = ["NAMES", "SHAPE", "read"]

SHAPE = (3, 32, 32)
NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
_BATCHES = (*(f"data_batch_{k}" for k in range(1, 6)), "test_batch")
_ARCHIVE = "cifar10*.npz"
_RECORD = 1 + int(np.prod(SHAPE))


def read(folder: Path) -> tuple[LabelledImages, LabelledImages | None]:
    """Return (images to train on, to test on or None) from the files in `folder`, or where archives unpack to in it.

    `DatasetError` names what is missing or damaged.
    """
    place = unpacked("cifar10", folder) or folder
    for ending, batch in ((".bin", _batch), ("", _pickled)):
        names = [f"{name}{ending}" for name in _BATCHES]
        there = [(place / name).is_file() for name in names]
        if any(there):
            if not all(there):
                raise DatasetError(
                    f"{place} has no {names[there.index(False)]}; `make data DATASET=cifar10` downloads all of it."
                )
            parts = [batch(place / name) for name in names]
            joined = LabelledImages(
                *(np.concatenate([getattr(part, field) for part in parts[:-1]]) for field in ("pixels", "labels"))
            )
            return joined, parts[-1]
    archive = next(iter(sorted(place.glob(_ARCHIVE))), None)
    if archive is None:
        matlab = (
            " (what is there is the version for MATLAB, which is not read)" if list(place.glob("*_batch*.mat")) else ""
        )
        raise DatasetError(f"{place} has no data_batch_1.bin{matlab}; `make data DATASET=cifar10` downloads it.")
    return from_archive(archive, (*SHAPE[1:], SHAPE[0])), None


def _pickled(path: Path) -> LabelledImages:
    pixels, labels = batch_of(path)
    if pixels.ndim != 2 or pixels.shape[1] != _RECORD - 1:
        raise DatasetError(f"{path} holds pixels of {list(pixels.shape)}, expected [n, {_RECORD - 1}].")
    return checked(LabelledImages(pixels.reshape(-1, *SHAPE), labels), str(path))


def _batch(path: Path) -> LabelledImages:
    content = bytes_of(path)
    if not content or len(content) % _RECORD:
        raise DatasetError(f"{path} holds {len(content)} bytes, which is no number of records of {_RECORD}.")
    records = np.frombuffer(content, np.uint8).reshape(-1, _RECORD)
    return checked(LabelledImages(records[:, 1:].reshape(-1, *SHAPE), records[:, 0]), str(path))
