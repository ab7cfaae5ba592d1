"""Build the graph of a .tflite file, operator by operator.

An activation is in it as raw integers, as the file holds them, and as values: the same less their zero point, at their
scale (DequantizeLinear). Images lie as in the file, channels last, or channels first, as ONNX computes them. Each of
these forms is made when somebody asks for it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from microstage.errors import ModelError
from microstage.integer import QTensor
from microstage_streamline.graph.graph import GraphInput, Node
from microstage_streamline.tflite.file import TfliteFile, TfliteOperator, TfliteTensor

__all__ = ["FIRST", "LAST", "RAW", "REAL", "TfliteBuilder"]

RAW, REAL = "raw", "real"
FIRST, LAST = "first", "last"
_TURNED = {FIRST: (0, 3, 1, 2), LAST: (0, 2, 3, 1)}
_SUFFIXES = {RAW: ".integers", REAL: ".values"}


class TfliteBuilder:
    """`nodes`, `constants`, `inputs` as in a `Graph`; `exact`: TensorFlow Lite Micro's integers rather than rounding
    half to even.

    `forms[place][kind, layout]` is what a tensor of the file is called in the graph; `called[place]` the name of an
    input or output of the file that it stands for.
    """

    def __init__(self, file: TfliteFile, exact: bool) -> None:
        self.file, self.exact = file, exact
        self.nodes: list[Node] = []
        self.constants: dict[str, Any] = {}
        self.inputs: dict[str, GraphInput] = {}
        self.forms: dict[int, dict[tuple[str, str], str]] = {}
        self.called: dict[int, str] = {}
        self.layer = ""
        self._names = {tensor.name for tensor in file.tensors}
        self._named: set[int] = set()

    def tensor(self, place: int) -> TfliteTensor:
        """Return a tensor of the file, of integers at a scale; `ModelError` for real numbers."""
        found = self.file.tensors[place]
        if not found.is_integer or not len(found.scales):
            raise ModelError(
                f"{found.name} is {found.type}{'' if found.is_integer else ', real numbers'}: expected"
                " integers at a scale"
            )
        return found

    def activation(self, place: int) -> TfliteTensor:
        """Return a tensor that is computed, at one scale."""
        found = self.tensor(place)
        if len(found.scales) > 1:
            raise ModelError(f"{found.name} has a scale for each channel; expected one")
        return found

    def stored(self, operator: TfliteOperator, index: int) -> np.ndarray | None:
        """Return the constant that an operator is given at `index`, None if there is no such input.

        `ModelError` for a computed one.
        """
        if index >= len(operator.inputs) or operator.inputs[index] < 0:
            return None
        found = self.file.tensors[operator.inputs[index]]
        if found.data is None:
            raise ModelError(f"its input {found.name} is computed; expected a constant")
        return found.data

    def required(self, operator: TfliteOperator, index: int) -> np.ndarray:
        """Return the constant that an operator must be given at `index`."""
        found = self.stored(operator, index)
        if found is None:
            raise ModelError(f"its input {index} is left out; expected a constant")
        return found

    def quantiser(self, place: int) -> tuple[str, str]:
        """Store the scale and the zero point of a tensor, as ONNX's quantisers read them."""
        tensor = self.activation(place)
        scale = self.constant(place, "scale", tensor.scale)
        return scale, self.constant(place, "zero", tensor.kind.type(tensor.zero))

    def node(self, op: str, inputs: list[str], output: str, **flags: Any) -> str:
        """Append a node and name its output."""
        self.nodes.append(Node(op, inputs, [output], flags, self.layer))
        return output

    def fresh(self, place: int, what: str) -> str:
        """Make up a new name that begins with a tensor's."""
        name, count = f"{self.file.tensors[place].name}.{what}", 1
        while name in self._names:
            name, count = f"{self.file.tensors[place].name}.{what}{count}", count + 1
        self._names.add(name)
        return name

    def constant(self, place: int, what: str, value: np.ndarray) -> str:
        """Store an array that serves the making of a tensor, and return its name."""
        name = self.fresh(place, what)
        self.constants[name] = value
        return name

    def weights(self, place: int, value: np.ndarray, scale: np.ndarray, axis: int, kind: np.dtype) -> str:
        """Store integers at a scale, one for all or one for each place along `axis`, and return their name."""
        name = self.fresh(place, "stored")
        if self.exact:
            shaped = np.asarray(scale, np.float64).reshape(-1)
            shape = [-1 if at == axis else 1 for at in range(value.ndim)]
            self.constants[name] = QTensor(
                value.astype(np.int64), shaped.reshape(shape) if shaped.size > 1 else shaped[0]
            )
            return name
        if kind == np.int64:
            if np.abs(value).max(initial=0) >= 2**31:
                raise ModelError(
                    f"{self.file.tensors[place].name} needs more than 32 bits, which ONNX does not"
                    " quantise; ROUNDING=tflite reads it"
                )
            kind = np.dtype(np.int32)
        self.constants[name] = value.astype(kind)
        scales = np.asarray(scale, np.float32).reshape(-1)
        stored = self.constant(place, "scale", scales if scales.size > 1 else scales[0])
        flags = {"axis": axis} if scales.size > 1 else {}
        return self.node("DequantizeLinear", [name, stored], self.fresh(place, "weights"), **flags)

    def new(self, place: int, kind: str, layout: str = LAST) -> str:
        """Name a form of a tensor, which a node may compute now."""
        name = self._called(place, kind, layout)
        self.forms.setdefault(place, {})[kind, layout] = name
        return name

    def layout(self, *places: int) -> str:
        """Return FIRST where all of some tensors lie channels first already, else LAST."""
        return FIRST if all((REAL, FIRST) in self._known(p) or (RAW, FIRST) in self._known(p) for p in places) else LAST

    def get(self, place: int, kind: str, layout: str = LAST) -> str:
        """Return the name of a form of a tensor, made of another one where it is not there yet."""
        known = self._known(place)
        if (kind, layout) in known:
            return known[kind, layout]
        if len(self.file.tensors[place].shape) != 4 and layout == FIRST:
            raise ModelError(
                f"{self.file.tensors[place].name} has {len(self.file.tensors[place].shape)} dimensions; expected 4"
            )
        reader, self.layer = self.layer, self._made_by(place)
        other = FIRST if layout == LAST else LAST
        if (kind, other) not in known:
            self._converted(place, kind, layout if (RAW if kind == REAL else REAL, layout) in known else other)
        if (kind, layout) not in known:
            self.node("Transpose", [known[kind, other]], self.new(place, kind, layout), perm=list(_TURNED[layout]))
        self.layer = reader
        return known[kind, layout]

    def _made_by(self, place: int) -> str:
        """Return the operator that a form of a tensor belongs to, whoever asks for it."""
        maker = self.file.makers.get(place)
        return self.file.where(maker) if maker else self.layer

    def _converted(self, place: int, kind: str, layout: str) -> None:
        """Make integers of values, or values of integers, in one layout."""
        source = self.forms[place][RAW if kind == REAL else REAL, layout]
        operator = "DequantizeLinear" if kind == REAL else "QuantizeLinear"
        self.node(operator, [source, *self.quantiser(place)], self.new(place, kind, layout))

    def _known(self, place: int) -> dict[tuple[str, str], str]:
        tensor = self.file.tensors[place]
        if place not in self.forms:
            if tensor.data is None:
                raise ModelError(f"reads {tensor.name}, which nothing before it computes")
            self.activation(place)
            self.constants[self.new(place, RAW)] = tensor.data
        return self.forms[place]

    def _called(self, place: int, kind: str, layout: str) -> str:
        """Return the file's own name for raw integers at its border, for the first values inside; else one that says
        what it is.
        """
        border = place in self.called or place in self.file.inputs or place in self.file.outputs
        own = (kind, layout) == (RAW, LAST) if border else kind == REAL
        if own and place not in self._named:
            self._named.add(place)
            return self.called.get(place, self.file.tensors[place].name)
        suffix = "" if border and kind == RAW or not border and kind == REAL else _SUFFIXES[kind]
        return self.fresh(
            place, f"{suffix}{'.channels_first' if layout == FIRST else '.channels_last' if not suffix else ''}"[1:]
        )
