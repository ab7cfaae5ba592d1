"""Where integers are compared: the tensors that quantisers write, and answers; each with the little graph that computes
it alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from microstage.roles import Sequence
from microstage_qcdq.graphs import IR_VERSION, OPSET, QONNX, subgraph

__all__ = ["Boundary", "boundaries", "source_values", "target_values"]

_TABLE_READERS = "Gather"
_QUANTISERS = ("QuantizeLinear", "Clip")


@dataclass(frozen=True)
class Boundary:
    """`model` computes the integers (or, for a graph output that is not quantised, the real values) of `name` from the
    integers of `sources` alone."""

    part: str
    name: str
    sources: tuple[str, ...]
    model: onnx.ModelProto
    quantised: bool


def boundaries(part: str, model: onnx.ModelProto) -> Iterator[Boundary]:
    """Every boundary of a part, in graph order."""
    graph = model.graph
    names = _integer_tensors(graph)
    stops = {*names, *(i.name for i in graph.input)}
    outputs = [o.name for o in graph.output if o.name not in names]
    for name in [*names, *outputs]:
        nodes, sources = subgraph(graph, name, stops)
        yield Boundary(part, name, tuple(sources), _cut(graph, name, nodes, sources, names), name in names)


def _integer_tensors(graph: onnx.GraphProto) -> dict[str, int]:
    """{tensor: ONNX type} of what a quantiser, clipped where it is, or a table writes, and of a TopK's places."""
    constants = {i.name: numpy_helper.to_array(i).dtype for i in graph.initializer}
    clipped = {node.input[0] for node in graph.node if node.op_type == "Clip"}
    signs = {node.output[0] for node in graph.node if node.op_type == "BipolarQuant"}
    found = {}
    for node in graph.node:
        name = node.output[0]
        if node.op_type in _QUANTISERS and name not in clipped:
            zero = node.input[2] if node.op_type == "QuantizeLinear" else node.input[1]
            found[name] = _type(constants[zero])
        elif node.op_type == _TABLE_READERS and node.input[0] in constants:
            found[name] = _type(constants[node.input[0]])
        elif node.op_type == "Cast" and node.input[0] in signs:
            found[name] = TensorProto.INT8
        elif node.op_type == "TopK":
            found[node.output[1]] = TensorProto.INT64
    return found


def _type(dtype: np.dtype) -> int:
    return TensorProto.INT8 if dtype == np.int8 else TensorProto.UINT8


def _cut(graph, name: str, nodes, sources, types: Mapping[str, int]) -> onnx.ModelProto:
    def value(tensor: str, kind: int) -> onnx.ValueInfoProto:
        known = next((v for v in [*graph.input, *graph.output] if v.name == tensor), None)
        return known or helper.make_tensor_value_info(tensor, kind, None)

    used = {tensor for node in nodes for tensor in node.input}
    inputs = [value(source, types.get(source, TensorProto.INT8)) for source in sources]
    outputs = [value(name, types.get(name, TensorProto.FLOAT))]
    kept = [i for i in graph.initializer if i.name in used]
    cut = helper.make_graph(nodes, name, inputs, outputs, kept)
    imports = [helper.make_opsetid("", OPSET), helper.make_opsetid(QONNX, 1)]
    return helper.make_model(cut, opset_imports=imports, ir_version=IR_VERSION)


def source_values(
    boundary: Boundary, vectors: Mapping[str, np.ndarray], sequence: Sequence | None
) -> dict[str, np.ndarray]:
    """The integers at a boundary's sources over all examples, and all time steps within the cell, as rows of one batch.

    A state that the cell takes is that of the step before, zero before the first; one that the head takes is the last.
    """
    shapes = {i.name: [dim.dim_value for dim in i.type.tensor_type.shape.dim][1:] for i in boundary.model.graph.input}
    return {source: _rows(boundary.part, source, shapes[source], vectors, sequence) for source in boundary.sources}


def target_values(boundary: Boundary, vectors: Mapping[str, np.ndarray], sequence: Sequence | None) -> np.ndarray:
    """The recorded values at the boundary, as rows in the same order."""
    if sequence is None or boundary.part != sequence.cell:
        return vectors[boundary.name]
    values = vectors[sequence.recorded(boundary.part, boundary.name)]
    return values.reshape(-1, *values.shape[2:])


def _rows(
    part: str, source: str, shape: list[int], vectors: Mapping[str, np.ndarray], sequence: Sequence | None
) -> np.ndarray:
    if sequence is not None and part == sequence.head and source in sequence.last:
        return vectors[sequence.last[source]][:, -1]
    if sequence is not None and part == sequence.cell:
        values = vectors[sequence.steps.get(source) or sequence.recorded(part, source)]
        if source in sequence.states:
            values = np.concatenate([np.zeros_like(values[:, :1]), values[:, :-1]], axis=1)
        return values.reshape(-1, *values.shape[2:])
    values = vectors[source]
    return (
        values.reshape(-1, *shape) if 0 not in shape and shape else values
    )  # an input may be recorded in another shape of as many
