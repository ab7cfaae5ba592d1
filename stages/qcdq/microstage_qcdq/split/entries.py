"""Where integers enter a network: behind the quantiser that an input feeds, or at the input itself, where the
definition says so."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx
from onnx import helper

from microstage.errors import ModelError
from microstage.models.definition import ModelDeclaration
from microstage_qcdq.graph.build import constants, int8_value, make_model, subgraph
from microstage_qcdq.graph.ranges import element_type, quantised_range

__all__ = ["IntegerInput", "any_batch", "entries_of"]


@dataclass(frozen=True)
class IntegerInput:
    """Integers `name` of `shape` [1, ...] in `ends` stand for the graph input `real`: `quantiser` makes them of it, or
    (`scale` given) they are declared to be it."""

    real: str
    name: str
    ends: tuple[int, int]
    shape: tuple[int, ...]
    scale: float | None
    quantiser: onnx.ModelProto | None

    @property
    def kind(self) -> int:
        """The ONNX type of the integers."""
        return element_type(*self.ends)

    @property
    def value(self) -> onnx.ValueInfoProto:
        """The integers as a graph input, for any batch."""
        return int8_value(self.name, ["B", *self.shape[1:]], self.kind)

    def zeros(self, count: int = 1) -> np.ndarray:
        return np.zeros([count, *self.shape[1:]], helper.tensor_dtype_to_np_dtype(self.kind))


def entries_of(graph: onnx.GraphProto, declared: ModelDeclaration) -> list[IntegerInput]:
    """One for each graph input; `ModelError` for one that neither feeds a quantiser alone nor is declared."""
    return [_entry(graph, value, declared.inputs.get(value.name)) for value in graph.input]


def _entry(graph: onnx.GraphProto, value: onnx.ValueInfoProto, said) -> IntegerInput:
    shape = tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim)
    if said is not None:
        low, high = said["range"]
        return IntegerInput(value.name, value.name, (int(low), int(high)), shape, float(said["scale"]), None)
    readers = [node for node in graph.node if value.name in node.input]
    if len(readers) == 1 and readers[0].op_type == "Quant":
        raise ModelError(f"{value.name} is read by a quantiser of more than 8 bits; declare its integers instead.")
    if len(readers) != 1 or readers[0].op_type != "QuantizeLinear":
        reader = readers[0].op_type if readers else "nothing"
        raise ModelError(f"{value.name} is read by {reader}; expected a quantiser, or its integers in model_def.json.")
    name = readers[0].output[0]
    clip = next((node for node in graph.node if node.op_type == "Clip" and node.input[0] == name), None)
    name = clip.output[0] if clip is not None else name
    ends = quantised_range(graph, name)
    nodes, _ = subgraph(graph, name, set())
    outputs = [int8_value(name, ["B", *shape[1:]], element_type(*ends))]
    return IntegerInput(
        value.name, name, ends, shape, None, make_model(name, nodes, constants(graph), [any_batch(value)], outputs)
    )


def any_batch(value: onnx.ValueInfoProto) -> onnx.ValueInfoProto:
    copy = onnx.ValueInfoProto.FromString(value.SerializeToString())
    copy.type.tensor_type.shape.dim[0].dim_param = "B"
    return copy
