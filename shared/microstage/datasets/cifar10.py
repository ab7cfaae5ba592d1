"""CIFAR-10: small photographs of ten things, 50,000 to train on and 10,000 to test on, 32 x 32 in three colours.

Krizhevsky, 2009. The files of the binary version as published: `data_batch_1.bin` to `_5.bin`, `test_batch.bin`, 10,000
records each (label, then red, green and blue planes). The Python version is pickled, and reading it would run what it says.
A part of it may come as an .npz with `x` [n, 32, 32, 3] and `y`: then some of its images are held out as a test.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from microstage.datasets.images import Images, bytes_of, checked, from_archive
from microstage.errors import DatasetError

__all__ = ["NAMES", "SHAPE", "read"]

SHAPE = (3, 32, 32)
NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
_TEST = "test_batch.bin"
_ARCHIVE = "cifar10*.npz"
_RECORD = 1 + int(np.prod(SHAPE))


def read(folder: Path) -> tuple[Images, Images | None]:
    """(to train on, to test on or None) from the files in `folder`; `DatasetError` names what is missing or damaged."""
    batches = sorted(folder.glob("data_batch_[1-5].bin"))
    if batches:
        if not (folder / _TEST).is_file():
            raise DatasetError(f"{folder} has no {_TEST}; `make data DATASET=cifar10` downloads it.")
        parts = [_batch(path) for path in batches]
        joined = Images(*(np.concatenate([getattr(part, field) for part in parts]) for field in ("pixels", "labels")))
        return joined, _batch(folder / _TEST)
    archive = next(iter(sorted(folder.glob(_ARCHIVE))), None)
    if archive is None:
        raise DatasetError(f"{folder} has no data_batch_1.bin; `make data DATASET=cifar10` downloads it.")
    return from_archive(archive, (*SHAPE[1:], SHAPE[0])), None


def _batch(path: Path) -> Images:
    content = bytes_of(path)
    if not content or len(content) % _RECORD:
        raise DatasetError(f"{path} holds {len(content)} bytes, which is no number of records of {_RECORD}.")
    records = np.frombuffer(content, np.uint8).reshape(-1, _RECORD)
    return checked(Images(records[:, 1:].reshape(-1, *SHAPE), records[:, 0]), str(path))
