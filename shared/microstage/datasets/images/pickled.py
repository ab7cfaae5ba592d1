"""CIFAR-10's Python version: pickles of NumPy arrays, of which nothing but arrays, numbers and texts is made.

A pickle may name any function to be called. `_Arrays` knows the few names that arrays and bytes need, as the
documentation of `pickle` advises ("Restricting Globals"), and refuses all others. It is the unpickler in Python: the
one in C makes room for as many entries as a pickle says that it has. Arrays begin empty, and take shape and values,
which must agree, from what follows in the file.
"""

from __future__ import annotations

import io
import pickle
from pathlib import Path

import numpy as np

from microstage.datasets.recordings.decoding import abridged
from microstage.datasets.recordings.reading import content_of
from microstage.errors import DatasetError

__all__ = ["batch_of"]


def _empty(*_: object) -> np.ndarray:
    return np.zeros(0, np.uint8)


_KNOWN = {("numpy", "ndarray"): _empty, ("numpy", "dtype"): np.dtype}
_KNOWN |= {
    ("_codecs", "encode"): lambda text, _: text.encode("latin1")
}  # how Python 3 writes bytes in the form of Python 2
_KNOWN |= {(f"numpy.{core}.multiarray", "_reconstruct"): _empty for core in ("core", "_core")}


class _Arrays(pickle._Unpickler):
    def find_class(self, module: str, name: str):
        try:
            return _KNOWN[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}") from None


def batch_of(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return (`data` uint8 [n, pixels], `labels` uint8 [n]) of one batch; `DatasetError` for a file that is none."""
    content = content_of(path)
    try:
        batch = _Arrays(io.BytesIO(content), encoding="bytes").load()
        return _bytes_in(batch[b"data"], len(content)), _bytes_in(batch[b"labels"], len(content))
    except Exception as error:  # a pickle may fail in any way
        said = abridged(f"{type(error).__name__}: {error}")
        raise DatasetError(f"{path} is no batch of CIFAR-10's Python version: {said}.") from None


def _bytes_in(values: object, most: int) -> np.ndarray:
    """Return an array, or a list of whole numbers, as uint8.

    `ValueError` for anything else, or more than `most` values.
    """
    numbers = isinstance(values, list) and all(type(value) is int for value in values)
    if not numbers and not isinstance(values, np.ndarray):
        raise ValueError(f"{type(values).__name__} where numbers were expected")
    if np.size(values) > most:
        raise ValueError(f"{np.size(values)} values in a file of {most} bytes")
    return np.asarray(values, np.uint8)
