"""Hold types of fewer than 8 bits in wider ones: NumPy has none of them, and no executor hands them over."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import onnx
from onnx import TensorProto

from microstage_streamline.graph.graph import Node

__all__ = ["HELD_IN", "narrow_tensors", "say_narrow_types"]

HELD_IN = {
    TensorProto.INT4: np.int8,
    TensorProto.UINT4: np.uint8,
    TensorProto.INT2: np.int8,
    TensorProto.UINT2: np.uint8,
}
"The type of ONNX: the one of NumPy that holds its integers."


def say_narrow_types(nodes: Iterable[Node], graph: onnx.GraphProto) -> None:
    """Give a quantiser to fewer than 8 bits, which its zero point in `graph` tells, an attribute that says so."""
    constants = _constants(graph)
    for node in nodes:
        if node.op == "QuantizeLinear" and len(node.inputs) > 2 and node.inputs[2] in constants:
            node.flags["output_dtype"] = constants[node.inputs[2]]


def narrow_tensors(nodes: Iterable[onnx.NodeProto], graph: onnx.GraphProto) -> set[str]:
    """Return what quantisers among `nodes`, in the order in which they run, make of such a type, moved about or not."""
    constants, found = _constants(graph), set()
    for node in nodes:
        said = next((a.i for a in node.attribute if a.name == "output_dtype"), 0)
        made = node.op_type == "QuantizeLinear" and (
            said in HELD_IN or len(node.input) > 2 and node.input[2] in constants
        )
        moved = node.input and node.input[0] in found and node.op_type not in ("DequantizeLinear", "Cast")
        if made or moved:
            found.update(node.output)
    return found


def _constants(graph: onnx.GraphProto) -> dict[str, int]:
    """Return {name: ONNX type} of the stored ones."""
    stored = [(tensor.name, tensor) for tensor in graph.initializer]
    made = [node for node in graph.node if node.op_type == "Constant"]
    stored += [
        (node.output[0], attribute.t) for node in made for attribute in node.attribute if attribute.name == "value"
    ]
    return {name: tensor.data_type for name, tensor in stored if tensor.data_type in HELD_IN}
