"""Reading weights and checkpoints without executing them: an allow-listed unpickler over torch's zip form.

`torch.load` of this era runs whatever a pickle asks for, and its `weights_only` mode is no cure (CVE-2025-32434).
"""

from __future__ import annotations

import collections
import io
import math
import pickle
import pickletools
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from microstage.errors import IntegrityError
from microstage.untrusted.exceptions import translated
from microstage.untrusted.limits import MOST_OCTETS

__all__ = ["read_checkpoint", "read_weights"]

_STORAGES = {
    "FloatStorage": np.float32,
    "DoubleStorage": np.float64,
    "LongStorage": np.int64,
    "IntStorage": np.int32,
    "ByteStorage": np.uint8,
    "BoolStorage": np.bool_,
}


def read_weights(path: Path) -> dict[str, torch.Tensor]:
    """Return {module path: tensor}.

    Anything in the file but plain tensors is an `IntegrityError`, and nothing of it runs.
    """
    state = read_checkpoint(path)
    if not isinstance(state, dict) or not all(
        isinstance(name, str) and isinstance(value, torch.Tensor) for name, value in state.items()
    ):
        raise IntegrityError(f"{path} holds something other than named tensors.")
    return dict(state)


def read_checkpoint(path: Path) -> Any:
    """Return tensors in dictionaries, lists and tuples, beside numbers and texts.

    Anything else is an `IntegrityError`, and nothing of it runs.
    """
    try:
        with translated(lambda said: IntegrityError(f"{path} is no weight file: {said or 'no data.pkl in it'}.")):
            with zipfile.ZipFile(path) as archive:
                return _read(path, archive)
    except OSError as error:
        raise IntegrityError(f"{path} is no weight file: {error.strerror or error}.") from None


def _read(path: Path, archive: zipfile.ZipFile) -> Any:
    if sum(member.file_size for member in archive.infolist()) > MOST_OCTETS:
        raise IntegrityError(f"{path} unpacks to more than {MOST_OCTETS >> 20} MiB; it is not a weight file of ours.")
    root = next(name for name in archive.namelist() if name.endswith("/data.pkl"))[: -len("data.pkl")]
    data = archive.read(f"{root}data.pkl")
    for operation, argument, _ in pickletools.genops(data):
        if operation.name.endswith("PUT") and int(argument or 0) > len(data):  # the reader would make room for as many
            raise pickle.UnpicklingError("it numbers more objects than it can hold")
    return _Reader(io.BytesIO(data), archive, root).load()


class _Reader(pickle.Unpickler):
    """Unpickle ordered dictionaries, plain tensors, which are rebuilt, and numeric storages; refuse everything else."""

    def __init__(self, data, archive: zipfile.ZipFile, root: str) -> None:
        super().__init__(data)
        self._archive, self._root = archive, root
        self._storages: dict[str, bytes] = {}  # each unpacked once, however often it is named

    def find_class(self, module: str, name: str) -> Any:
        allowed = {
            ("collections", "OrderedDict"): collections.OrderedDict,
            ("torch._utils", "_rebuild_tensor_v2"): _rebuild,
            ("torch._utils", "_rebuild_parameter"): lambda tensor, *_: tensor,
        }
        if (module, name) in allowed:
            return allowed[module, name]
        if module == "torch" and name in _STORAGES:
            return name
        raise pickle.UnpicklingError(f"it asks for {module}.{name}, which weights do not need")

    def persistent_load(self, pid: Any) -> np.ndarray:
        kind, storage, key, _, count = pid
        if kind != "storage" or storage not in _STORAGES or not str(key).isdigit():
            raise pickle.UnpicklingError("it names a storage of an unknown kind")
        if key not in self._storages:
            self._storages[key] = self._archive.read(f"{self._root}data/{key}")
        values = np.frombuffer(self._storages[key], _STORAGES[storage])
        if len(values) != count:
            raise pickle.UnpicklingError(f"storage {key} holds {len(values)} values, its index says {count}")
        return values


def _rebuild(values: np.ndarray, offset: int, size: tuple, stride: tuple, *_: Any) -> torch.Tensor:
    last = offset + sum((n - 1) * step for n, step in zip(size, stride)) if all(size) else offset - 1
    if (
        offset < 0 or min(stride, default=0) < 0 or last >= len(values) or math.prod(size) > len(values)
    ):  # no value is repeated
        raise pickle.UnpicklingError("a tensor reaches outside its storage")
    return torch.from_numpy(values.copy()).as_strided(tuple(size), tuple(stride), offset).clone()
