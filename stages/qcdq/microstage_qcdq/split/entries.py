"""Where integers enter a network: behind the quantiser that an input feeds, or at the input itself.

The definition says so of an input that feeds no quantiser.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import helper

from microstage.errors import ModelError
from microstage.integer import Interpreter
from microstage.integer.interpreter import attributes
from microstage.interface.gain import Gain
from microstage.models.definition import FILE, ModelDeclaration
from microstage.signals.gain import bits_at, block_float
from microstage_qcdq.convert.weights import quantiser_range, rounding_of
from microstage_qcdq.graph.build import PartBuilder, constant, constants, int8_value, make_model, subgraph
from microstage_qcdq.graph.ranges import element_type, quantised_range

__all__ = ["DeclaredInput", "IntegerInput", "QuantisedInput", "WindowInput", "any_batch", "entries_of"]

_NARROW = 8


@dataclass(frozen=True)
class IntegerInput(ABC):
    """Integers `name` of `shape` [1, ...] in `ends` stand for the graph input `real`.

    Where there is a `scale`, the graph behind them reads scale * integer; else it reads the integers.
    """

    real: str
    name: str
    ends: tuple[int, int]
    shape: tuple[int, ...]
    scale: float | None

    @property
    def kind(self) -> int:
        """The ONNX type of the integers."""
        return element_type(*self.ends)

    @property
    def value(self) -> onnx.ValueInfoProto:
        """The integers as a graph input, for any batch."""
        return int8_value(self.name, ["B", *self.shape[1:]], self.kind)

    def zeros(self, count: int = 1) -> np.ndarray:
        """Return `count` examples of zeros."""
        return np.zeros([count, *self.shape[1:]], helper.tensor_dtype_to_np_dtype(self.kind))

    @abstractmethod
    def recorded(self, vectors: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return the real values that `vectors` hold of this input."""

    @abstractmethod
    def integers(self, values: np.ndarray) -> np.ndarray:
        """Return the integers, int64, that stand for real `values`."""


@dataclass(frozen=True)
class QuantisedInput(IntegerInput):
    """An input that the network itself begins to quantise: `quantiser` makes the integers of it.

    `rounding` is called as qonnx has it.
    """

    quantiser: onnx.ModelProto
    rounding: str = "ROUND"

    def recorded(self, vectors: Mapping[str, np.ndarray]) -> np.ndarray:
        return vectors[self.real]

    def integers(self, values: np.ndarray) -> np.ndarray:
        found = Interpreter(self.quantiser).run({self.real: values.astype(np.float64)})  # as the float functions do
        return found[self.name].astype(np.int64)


@dataclass(frozen=True)
class DeclaredInput(IntegerInput):
    """An input whose integers `model_def.json` declares: it is scale * integer."""

    scale: float

    def recorded(self, vectors: Mapping[str, np.ndarray]) -> np.ndarray:
        return vectors[self.real] * np.float32(self.scale)

    def integers(self, values: np.ndarray) -> np.ndarray:
        return np.rint(values / np.float64(self.scale)).astype(np.int64)


@dataclass(frozen=True)
class WindowInput(DeclaredInput):
    """A declared input that is a window in real numbers, `gain.inputs[real]`, over its own gain."""

    gain: Gain

    def recorded(self, vectors: Mapping[str, np.ndarray]) -> np.ndarray:
        return vectors[self.gain.inputs[self.real]].astype(np.float32)

    def integers(self, values: np.ndarray) -> np.ndarray:
        return block_float(values.astype(np.float64), self.gain.exponents, bits_at(self.scale))[0]


def entries_of(graph: onnx.GraphProto, declared: ModelDeclaration) -> list[IntegerInput]:
    """Return one for each graph input.

    `ModelError` for an input that neither feeds a quantiser alone nor is declared, and for a gain of no input.
    """
    names = [value.name for value in graph.input]
    if declared.gain is not None and declared.gain.window not in names:
        raise ModelError(
            f"{FILE} has a gain of {declared.gain.window}, which is no input of the network: {', '.join(names)}."
        )
    return [_entry(graph, value, declared) for value in graph.input]


def _entry(graph: onnx.GraphProto, value: onnx.ValueInfoProto, declared: ModelDeclaration) -> IntegerInput:
    shape = tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim)
    said = declared.inputs.get(value.name)
    if said is None:
        return _quantised(graph, value, shape)
    return _declared(value.name, shape, said, declared.gain)


def _declared(name: str, shape: tuple[int, ...], said: Mapping[str, Any], gain: Gain | None) -> DeclaredInput:
    low, high = said["range"]
    ends, scale = (int(low), int(high)), float(said["scale"])
    if gain is not None and name == gain.window:
        return WindowInput(name, name, ends, shape, scale, gain)
    return DeclaredInput(name, name, ends, shape, scale)


def _quantised(graph: onnx.GraphProto, value: onnx.ValueInfoProto, shape: tuple[int, ...]) -> QuantisedInput:
    readers = [node for node in graph.node if value.name in node.input]
    if len(readers) == 1 and readers[0].op_type == "Quant":
        return _floored(graph, value, shape, readers[0])
    if len(readers) != 1 or readers[0].op_type != "QuantizeLinear":
        reader = readers[0].op_type if readers else "nothing"
        raise ModelError(f"{value.name} is read by {reader}; expected a quantiser, or its integers in {FILE}.")
    name = readers[0].output[0]
    clip = next((node for node in graph.node if node.op_type == "Clip" and node.input[0] == name), None)
    name = clip.output[0] if clip is not None else name
    ends = quantised_range(graph, name)
    nodes, _ = subgraph(graph, name, set())
    outputs = [int8_value(name, ["B", *shape[1:]], element_type(*ends))]
    quantiser = make_model(name, nodes, constants(graph), [any_batch(value)], outputs)
    return QuantisedInput(value.name, name, ends, shape, None, quantiser)


def _floored(
    graph: onnx.GraphProto, value: onnx.ValueInfoProto, shape: tuple[int, ...], node: onnx.NodeProto
) -> QuantisedInput:
    """Return the input of a quantiser that has no QCDQ form, for its rounding: what makes its integers is written out.

    `ModelError` for one of more than 8 bits, or with a zero point.
    """
    scale, zero, bits = (constant(graph, name) for name in node.input[1:4])
    name, ends = node.output[0], quantiser_range(node, int(bits))
    if int(bits) > _NARROW or zero.any():
        what = "a zero point" if zero.any() else f"more than {_NARROW} bits"
        raise ModelError(f"{value.name} is read by a quantiser with {what}; declare its integers instead.")
    b = PartBuilder()
    b.quantise_step_by_step(value.name, float(scale), *ends, name, rounding_of(node), element_type(*ends))
    outputs = [int8_value(name, ["B", *shape[1:]], element_type(*ends))]
    quantiser = make_model(name, b.nodes, b.initializers, [any_batch(value)], outputs)
    return QuantisedInput(value.name, name, ends, shape, float(scale), quantiser, attributes(node)["rounding_mode"])


def any_batch(value: onnx.ValueInfoProto) -> onnx.ValueInfoProto:
    """Return a copy of `value` whose first axis has any length."""
    copy = onnx.ValueInfoProto.FromString(value.SerializeToString())
    copy.type.tensor_type.shape.dim[0].dim_param = "B"
    return copy
