"""CIFAR-10's Python version: pickles of NumPy arrays, of which nothing but arrays, numbers and texts is made.

A pickle may name any function to be called. `_Arrays` knows the few names that arrays and bytes need, as the documentation of `pickle` advises
("Restricting Globals"), and refuses all others.
"""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np

from microstage.errors import DatasetError

__all__ = ["batch_of"]

_RECONSTRUCT = np.zeros(0).__reduce__()[0]
_KNOWN = {("numpy", "ndarray"): np.ndarray, ("numpy", "dtype"): np.dtype}
_KNOWN |= {("_codecs", "encode"): lambda text, _: text.encode("latin1")}  # how Python 3 writes bytes in the form of Python 2
_KNOWN |= {(f"numpy.{core}.multiarray", "_reconstruct"): _RECONSTRUCT for core in ("core", "_core")}


class _Arrays(pickle.Unpickler):
    def find_class(self, module: str, name: str):
        try:
            return _KNOWN[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}") from None


def batch_of(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """(`data` uint8 [n, pixels], `labels` uint8 [n]) of one batch; `DatasetError` for a file that is none."""
    try:
        with path.open("rb") as file:
            batch = _Arrays(file, encoding="bytes").load()
        return np.asarray(batch[b"data"], np.uint8), np.asarray(batch[b"labels"], np.uint8)
    except Exception as error:  # a pickle may fail in any way
        raise DatasetError(f"{path} is no batch of CIFAR-10's Python version: {type(error).__name__}: {error}.") from None
