"""Where integers are compared: the tensors that quantisers write, and answers; each with the little graph that computes it alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from microstage_qcdq.graphs import IR_VERSION, OPSET, QONNX, subgraph

__all__ = ["Boundary", "boundaries", "recorded_name"]

_TABLE_READERS = "Gather"
_QUANTISERS = ("QuantizeLinear", "Clip")
_RECORDED = {"hidden_next": "hidden", "cell_next": "cell"}
# The step's inputs are the boundaries of the step before (zero before the first).
_STATES = ("hidden", "cell")


@dataclass(frozen=True)
class Boundary:
    """`model` computes the integers (or, for a graph output that is not quantised, the real values) of `name` from the
    integers of `sources` alone."""

    part: str
    name: str
    sources: tuple[str, ...]
    model: onnx.ModelProto
    quantised: bool

    @property
    def recorded(self) -> str:
        """Its name in golden vectors."""
        return recorded_name(self.name)


def recorded_name(name: str) -> str:
    """c_t and h_t are recorded as `cell` and `hidden`."""
    return _RECORDED.get(name, name)


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
    """{tensor: ONNX type} that a quantiser, clipped where it is, or a table writes; and the places that a TopK gives."""
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


def source_values(boundary: Boundary, vectors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The integers at a boundary's sources over all windows, and all time steps for the LSTM, as rows of one batch."""
    return {source: _rows(boundary.part, source, vectors) for source in boundary.sources}


def target_values(boundary: Boundary, vectors: Mapping[str, np.ndarray]) -> np.ndarray:
    """The recorded values at the boundary, as rows in the same order."""
    values = vectors[boundary.recorded]
    return values.reshape(-1, values.shape[-1]) if boundary.part == "lstm" else values


def _rows(part: str, source: str, vectors: Mapping[str, np.ndarray]) -> np.ndarray:
    if part == "cnn":
        return vectors["window"][:, None] if source == "window" else vectors[source]
    if part == "mlp":
        return vectors["hidden"][:, -1] if source == "hidden" else vectors[source]
    if part != "lstm":
        return vectors[source]
    values = vectors["features" if source == "features_t" else recorded_name(source)]
    if source in _STATES:
        values = np.concatenate([np.zeros_like(values[:, :1]), values[:, :-1]], axis=1)
    return values.reshape(-1, values.shape[-1])
