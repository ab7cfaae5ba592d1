"""Read a .tflite file as plain tensors and operators, or say in one sentence what is wrong with it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

from microstage.errors import ModelError
from microstage.untrusted.exceptions import translated
from microstage.untrusted.limits import LONGEST_NAME, MOST_AXES, MOST_COMPUTED, MOST_NODES, MOST_STORED

__all__ = ["TfliteOperator", "TfliteTensor", "TfliteFile", "read_tflite"]

_TYPES = {
    "INT8": np.int8, "UINT8": np.uint8, "INT16": np.int16, "INT32": np.int32, "INT64": np.int64,
    "FLOAT32": np.float32, "FLOAT16": np.float16, "FLOAT64": np.float64, "BOOL": np.bool_, "INT4": np.int8,
}  # fmt: skip


def _names(kinds: type) -> dict[int, str]:
    return {code: name for name, code in vars(kinds).items() if isinstance(code, int)}


_KINDS, _TENSORS = _names(schema.BuiltinOperator), _names(schema.TensorType)


@dataclass(frozen=True, eq=False)
class TfliteTensor:
    """`type` is the schema's, `stored_as` NumPy's, None for what is no number; `data` what a constant holds.

    value = scale (integer - zero), one for all or one for each place along `axis`; no scales, no integers.
    """

    place: int
    name: str
    shape: tuple[int, ...]
    type: str
    stored_as: np.dtype | None
    data: np.ndarray | None
    scales: np.ndarray = field(default_factory=lambda: np.zeros(0, np.float32))
    zeros: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    axis: int = 0

    @property
    def kind(self) -> np.dtype:
        """Its NumPy type; `ModelError` for what is no number."""
        if self.stored_as is None:
            raise ModelError(f"{self.name} is {self.type}; expected numbers")
        return self.stored_as

    @property
    def constant(self) -> np.ndarray:
        """What it holds; `ModelError` for a tensor that is computed."""
        if self.data is None:
            raise ModelError(f"{self.name} is computed; expected a constant")
        return self.data

    @property
    def is_integer(self) -> bool:
        return self.stored_as is not None and self.stored_as.kind in "iu"

    @property
    def scale(self) -> np.float32:
        return self.scales[0]

    @property
    def zero(self) -> int:
        return int(self.zeros[0]) if len(self.zeros) else 0

    @property
    def ends(self) -> tuple[int, int]:
        """The least and the largest integer of its type."""
        return int(np.iinfo(self.kind).min), int(np.iinfo(self.kind).max)


@dataclass(frozen=True)
class TfliteOperator:
    """Inputs and outputs are places of tensors, -1 for an optional one left out; `options` are the schema's."""

    place: int
    kind: str
    inputs: list[int]
    outputs: list[int]
    options: Any

    def option(self, name: str, default: Any = 0) -> Any:
        """Return an option by the schema's name; the schema's default where the file has none."""
        return getattr(self.options, name, default) if self.options is not None else default


@dataclass(frozen=True)
class TfliteFile:
    """The one graph of a file; tensors have names of their own, each once."""

    tensors: list[TfliteTensor]
    operators: list[TfliteOperator]
    inputs: list[int]
    outputs: list[int]
    content: bytes = field(repr=False, default=b"")

    @cached_property
    def makers(self) -> dict[int, TfliteOperator]:
        """The operator that computes each tensor."""
        return {place: operator for operator in self.operators for place in operator.outputs}

    def where(self, operator: TfliteOperator) -> str:
        """Return what a person calls an operator."""
        named = [_short(self.tensors[place].name) for place in operator.outputs if place >= 0]
        return f"{operator.kind} -> {', '.join(named) or 'nothing'}"


def _short(name: str) -> str:
    """Return a converter's name of many that it fused: the first."""
    first = name.split(";")[0]
    return first if first == name else f"{first};..."


def read_tflite(path: Path) -> TfliteFile:
    """Read the file at `path`; `ModelError` if it is damaged, or holds more than one graph of plain tensors."""
    content = path.read_bytes()
    damaged = "This is a damaged .tflite file: its offsets or sizes lead beyond its end; convert the network again."
    with translated(lambda _: ModelError(damaged)):
        return _checked(_read(schema.ModelT.InitFromPackedBuf(content, 0), content))


def _read(model: Any, content: bytes) -> TfliteFile:
    graph = model.subgraphs[0]
    names: set[str] = set()
    tensors = [_tensor(place, raw, model.buffers, names) for place, raw in enumerate(graph.tensors)]
    operators = [_operator(place, raw, model.operatorCodes) for place, raw in enumerate(graph.operators)]
    return TfliteFile(tensors, operators, _places(graph.inputs), _places(graph.outputs), content)


def _places(found: Any) -> list[int]:
    return [] if found is None else [int(place) for place in found]


def _operator(place: int, raw: Any, codes: list[Any]) -> TfliteOperator:
    code = codes[raw.opcodeIndex]
    builtin = max(code.builtinCode, code.deprecatedBuiltinCode)
    kind = _KINDS.get(builtin, f"operator {builtin}")
    if kind == "CUSTOM":
        kind = f"CUSTOM {_text(code.customCode)}"
    return TfliteOperator(place, kind, _places(raw.inputs), _places(raw.outputs), raw.builtinOptions)


def _text(name: Any) -> str:
    return name.decode(errors="replace") if isinstance(name, bytes) else str(name or "")


def _tensor(place: int, raw: Any, buffers: list[Any], names: set[str]) -> TfliteTensor:
    name = _text(raw.name) or f"tensor_{place}"
    if not name.isprintable() or len(name) > LONGEST_NAME:
        raise ModelError(f"Tensor {place} has a name that cannot be printed on one line.")
    name = name if name not in names else f"{name}_{place}"
    names.add(name)
    kind, shape = _TENSORS.get(raw.type, str(raw.type)), tuple(_places(raw.shape))
    if raw.sparsity is not None:
        raise ModelError(f"Tensor {name} is stored sparsely; convert the file with dense weights.")
    if min(shape, default=1) < 1 or len(shape) > MOST_AXES:
        raise ModelError(
            f"Tensor {name} has shape {list(shape[: MOST_AXES + 1])}; expected fixed sizes of at most {MOST_AXES} axes."
        )
    dtype = np.dtype(_TYPES[kind]) if kind in _TYPES else None
    data = _data(name, raw, kind, dtype, shape, buffers)
    if math.prod(shape) > (most := MOST_COMPUTED if data is None else MOST_STORED):
        raise ModelError(f"Tensor {name} has shape {list(shape)}; at most {most} values can be held.")
    return TfliteTensor(place, name, shape, kind, dtype, data, *_quantised(name, raw, shape))


def _data(
    name: str, raw: Any, kind: str, dtype: np.dtype | None, shape: tuple[int, ...], buffers: list[Any]
) -> np.ndarray | None:
    buffer = buffers[raw.buffer]
    if raw.externalBuffer or getattr(buffer, "offset", 0) > 1:
        raise ModelError(f"Tensor {name} is stored outside the flatbuffer; write a file that holds its weights.")
    if buffer.data is None or len(buffer.data) == 0 or dtype is None:
        return None
    octets = np.asarray(buffer.data, np.uint8)
    if kind == "INT4":
        octets = _nibbles(octets)[: int(np.prod(shape))]
    return octets.view(dtype).reshape(shape).copy()


def _nibbles(octets: np.ndarray) -> np.ndarray:
    """Split octets into two signed values each, the lower half first."""
    halves = np.stack([octets & 15, octets >> 4], -1).reshape(-1).astype(np.int8)
    return np.where(halves > 7, halves - 16, halves).astype(np.int8).view(np.uint8)


def _quantised(name: str, raw: Any, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray, int]:
    found = raw.quantization
    if found is None or found.scale is None or not len(found.scale):
        return np.zeros(0, np.float32), np.zeros(0, np.int64), 0
    scales = np.asarray(found.scale, np.float32)
    zeros = np.asarray(np.zeros(len(scales)) if found.zeroPoint is None else found.zeroPoint, np.int64)
    axis = int(found.quantizedDimension)
    if not (np.isfinite(scales).all() and (scales > 0).all()) or len(zeros) not in (1, len(scales)):
        raise ModelError(f"Tensor {name} has scales or zero points that are none.")
    if len(scales) > 1 and not (0 <= axis < len(shape) and shape[axis] == len(scales)):
        raise ModelError(f"Tensor {name} of shape {list(shape)} has {len(scales)} scales along axis {axis}.")
    return scales, np.broadcast_to(zeros, scales.shape), axis


def _checked(file: TfliteFile) -> TfliteFile:
    """Return the file, if its operators read what there is before them."""
    if not file.inputs or not file.outputs or not file.operators:
        raise ModelError(
            f"The file has no {'input' if not file.inputs else 'output' if not file.outputs else 'operator'}."
        )
    if len(file.operators) > MOST_NODES:
        raise ModelError(f"The file has {len(file.operators)} operators; at most {MOST_NODES} can be read.")
    for place in (*file.inputs, *file.outputs):
        if not 0 <= place < len(file.tensors):
            raise IndexError(place)
    known = {tensor.place for tensor in file.tensors if tensor.data is not None} | {-1, *file.inputs}
    for operator in file.operators:
        for place in _within(operator.inputs, file):
            if place not in known:
                raise ModelError(
                    f"{file.where(operator)} reads {file.tensors[place].name}, which nothing before it computes."
                )
        known.update(_within(operator.outputs, file))
    if missing := [file.tensors[place].name for place in file.outputs if place not in known]:
        raise ModelError(f"The graph's output {missing[0]} is computed by no operator.")
    return file


def _within(places: list[int], file: TfliteFile) -> Iterator[int]:
    for place in places:
        if not -1 <= place < len(file.tensors):
            raise IndexError(place)
        yield place
