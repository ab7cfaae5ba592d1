"""Where integers are compared: the tensors that quantisers write, and answers.

Each comes with the little graph that computes it alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from microstage_qcdq.graph.build import IR_VERSION, OPSET, QONNX, PartBuilder, reading, subgraph

__all__ = ["Boundary", "boundaries", "less_zero_points"]

_TABLE_READERS = "Gather"
_QUANTISERS = ("QuantizeLinear", "Clip")
_WIDE = "Quant"


@dataclass(frozen=True)
class Boundary:
    """A tensor that is compared: `model` computes `name` from the integers of `sources` alone.

    It gives the integers, or the real values of a graph output that is not quantised; a wide quantiser gives integers
    times its `scale`.
    """

    part: str
    name: str
    sources: tuple[str, ...]
    model: onnx.ModelProto
    quantised: bool
    scale: float | None = None


def boundaries(part: str, model: onnx.ModelProto) -> Iterator[Boundary]:
    """Yield every boundary of a part, in graph order."""
    graph = model.graph
    names, wide = _integer_tensors(graph), _wide_scales(graph)
    stops = {*names, *(i.name for i in graph.input)}
    outputs = [o.name for o in graph.output if o.name not in names]
    for name in [*names, *outputs]:
        nodes, sources = subgraph(graph, name, stops)
        cut = _cut(graph, name, nodes, sources, names, wide)
        yield Boundary(part, name, tuple(sources), cut, name in names, wide.get(name))


def _integer_tensors(graph: onnx.GraphProto) -> dict[str, int]:
    """Return {tensor: ONNX type of its integers}.

    They are what a quantiser, clipped where it is, or a table writes, and a TopK's places.
    """
    constants = {i.name: numpy_helper.to_array(i).dtype for i in graph.initializer}
    clipped = {node.input[0] for node in graph.node if node.op_type == "Clip"}
    signs = {node.output[0] for node in graph.node if node.op_type == "BipolarQuant"}
    found = {}
    for node in graph.node:
        name = node.output[0]
        if node.op_type in _QUANTISERS and name not in clipped:
            zero = node.input[2] if node.op_type == "QuantizeLinear" else node.input[1]
            found[name] = _type(constants[zero])
        elif node.op_type == _WIDE:
            found[name] = TensorProto.INT32
        elif node.op_type == _TABLE_READERS and node.input[0] in constants:
            found[name] = _type(constants[node.input[0]])
        elif node.op_type == "Cast" and node.input[0] in signs:
            found[name] = TensorProto.INT8
        elif node.op_type == "TopK":
            found[node.output[1]] = TensorProto.INT64
    return found


def _wide_scales(graph: onnx.GraphProto) -> dict[str, float]:
    """Return {tensor: scale} of quantisers that have no integer form."""
    constants = {i.name: i for i in graph.initializer}
    return {
        node.output[0]: float(numpy_helper.to_array(constants[node.input[1]]))
        for node in graph.node
        if node.op_type == _WIDE
    }


def less_zero_points(recorded: Mapping[str, np.ndarray], graph: onnx.GraphProto) -> dict[str, np.ndarray]:
    """Return recorded integers as boundaries have them: those of a Quant that stayed are less its zero point."""
    constants = {i.name: numpy_helper.to_array(i) for i in graph.initializer}
    zeros = {node.output[0]: int(constants[node.input[2]]) for node in graph.node if node.op_type == _WIDE}
    return {
        name: values.astype(np.int32) - zeros[name] if zeros.get(name) else values for name, values in recorded.items()
    }


def _type(dtype: np.dtype) -> int:
    return TensorProto.INT8 if dtype == np.int8 else TensorProto.UINT8


def _cut(graph, name: str, nodes, sources, types: Mapping[str, int], wide: Mapping[str, float]) -> onnx.ModelProto:
    """Return `nodes` as a graph that takes the integers of its `sources`, those of wide quantisers at their scale."""

    def value(tensor: str, kind: int) -> onnx.ValueInfoProto:
        known = next((v for v in [*graph.input, *graph.output] if v.name == tensor), None)
        return known or helper.make_tensor_value_info(tensor, kind, None)

    b = PartBuilder()
    read = {s: b.dequantise(s, wide[s], np.int32, f"{s}.taken") for s in sources if s in wide}
    nodes = [*b.nodes, *(reading(node, read) for node in nodes)]
    used = {tensor for node in nodes for tensor in node.input}
    inputs = [
        helper.make_tensor_value_info(source, TensorProto.INT32, None)
        if source in wide
        else value(source, types.get(source, TensorProto.INT8))
        for source in sources
    ]
    outputs = [value(name, TensorProto.FLOAT if name in wide else types.get(name, TensorProto.FLOAT))]
    kept = [i for i in graph.initializer if i.name in used]
    kept += [numpy_helper.from_array(np.asarray(v), n) for n, v in b.initializers.items()]
    cut = helper.make_graph(nodes, name, inputs, outputs, kept)
    imports = [helper.make_opsetid("", OPSET), helper.make_opsetid(QONNX, 1)]
    return helper.make_model(cut, opset_imports=imports, ir_version=IR_VERSION)
