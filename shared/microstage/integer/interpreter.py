"""Running a graph: integers stay integers as long as an operator is exact on them, then float64 in graph order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import onnx
from onnx import numpy_helper

from microstage.errors import ModelError
from microstage.integer.registry import OPERATORS

__all__ = ["Interpreter", "attributes", "run_node"]


class Interpreter:
    """One graph, checked for operators that are not known when it is made rather than when it is run."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.graph = model.graph
        self.constants = {i.name: numpy_helper.to_array(i) for i in self.graph.initializer}
        self.inputs = [i.name for i in self.graph.input if i.name not in self.constants]
        self.outputs = [o.name for o in self.graph.output]
        for place, node in enumerate(self.graph.node):
            if node.op_type not in OPERATORS:
                raise ModelError(f"{_where(node, place)} is not an operator that the integer reference knows.")

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each input as the graph declares it; 0 where a dimension is open."""
        return {
            i.name: tuple(d.dim_value for d in i.type.tensor_type.shape.dim)
            for i in self.graph.input
            if i.name in self.inputs
        }

    def run(self, inputs: Mapping[str, Any], record: Iterable[str] = ()) -> dict[str, Any]:
        """Return outputs and `record`ed tensors by name.

        Integer arrays that come in are raw integers; a DequantizeLinear gives them a scale.
        """
        missing = [name for name in self.inputs if name not in inputs]
        if missing:
            raise ModelError(f"Input {missing[0]} is missing; the graph needs {', '.join(self.inputs)}.")
        values: dict[str, Any] = {**self.constants, **inputs}
        for place, node in enumerate(self.graph.node):
            try:
                values.update(run_node(node, values))
            except ModelError as error:
                raise ModelError(f"{_where(node, place)}: {error}") from None
        return {name: values[name] for name in dict.fromkeys([*self.outputs, *record])}


def run_node(node: onnx.NodeProto, values: Mapping[str, Any]) -> dict[str, Any]:
    """Run one operator on named values; return {output name: value}."""
    if node.op_type not in OPERATORS:
        raise ModelError(
            f"{node.op_type} -> {', '.join(node.output)} is not an operator that the integer reference knows."
        )
    arguments = [values[name] if name else None for name in node.input]
    result = OPERATORS[node.op_type].run(arguments, attributes(node))
    results = result if isinstance(result, tuple) else (result,)
    return dict(zip(node.output, results))


def attributes(node: onnx.NodeProto) -> dict[str, Any]:
    """Return attributes by name, texts decoded."""
    found = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    return {name: value.decode() if isinstance(value, bytes) else value for name, value in found.items()}


def _where(node: onnx.NodeProto, place: int) -> str:
    return f"Node {place} ({node.op_type} -> {', '.join(node.output)})"
