"""The same graph in operators that stock onnxruntime has."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
from onnx import numpy_helper

from microstage.errors import ModelError
from microstage.integer.interpreter import attributes
from microstage_qcdq.convert.weights import quantiser_range
from microstage_qcdq.graph.build import PartBuilder, constant, constants, set_nodes

__all__ = ["in_stock_operators"]


def in_stock_operators(model: onnx.ModelProto) -> onnx.ModelProto:
    """Write quantisers in onnxruntime's operators; leave the rest as it is.

    BipolarQuant(x) = Where(x >= 0, 1, -1), the quantiser being at scale 1.
    Quant(x) = scale * clip(round(x / scale)), or floor in the place of round, its zero point being 0.
    """
    if not any(node.op_type in _WRITTEN for node in model.graph.node):
        return model
    copy = onnx.ModelProto.FromString(model.SerializeToString())
    graph, b = copy.graph, PartBuilder()
    for node in graph.node:
        if node.op_type in _WRITTEN:
            _WRITTEN[node.op_type](b, graph, node)
        else:
            b.nodes.append(node)
    spare = {name for node in graph.node if node.op_type == "Quant" for name in node.input[2:]}
    spare -= {name for node in b.nodes for name in node.input}
    for initializer in [i for i in graph.initializer if i.name in spare]:
        graph.initializer.remove(initializer)
    set_nodes(graph, b.nodes)
    known = constants(graph)
    missing = {name: value for name, value in b.initializers.items() if name not in known}
    graph.initializer.extend(numpy_helper.from_array(np.asarray(value), name) for name, value in missing.items())
    return copy


def _sign(b: PartBuilder, graph: onnx.GraphProto, node: onnx.NodeProto) -> None:
    zero, above, below = (
        b.constant(f"sign.{name}", np.float32(v)) for name, v in (("zero", 0), ("above", 1), ("below", -1))
    )
    reached = b.add("GreaterOrEqual", [node.input[0], zero], f"{node.output[0]}.reached")
    b.add("Where", [reached, above, below], node.output[0])


def _wide(b: PartBuilder, graph: onnx.GraphProto, node: onnx.NodeProto) -> None:
    (x, scale, _, bits), name = node.input, node.output[0]
    ends = quantiser_range(node, int(constant(graph, bits)))
    low, high = (b.constant(f"{name}.{end}", np.float32(value)) for end, value in zip(("low", "high"), ends))
    rounding = _rounding(node)
    levels = b.add(rounding, [b.add("Div", [x, scale], f"{name}.quotient")], f"{name}.unclipped")
    b.add("Mul", [b.add("Clip", [levels, low, high], f"{name}.levels"), scale], name)


def _rounding(node: onnx.NodeProto) -> str:
    """Return ONNX's operator for how a quantiser rounds; `ModelError` for one that has none."""
    said = attributes(node).get("rounding_mode", "ROUND").upper()
    if said not in _ROUNDINGS:
        raise ModelError(f"{node.output[0]} rounds by {said}; expected one of {', '.join(_ROUNDINGS)}.")
    return _ROUNDINGS[said]


_ROUNDINGS = {"ROUND": "Round", "HALF_EVEN": "Round", "FLOOR": "Floor", "CEIL": "Ceil"}
_WRITTEN: dict[str, Callable[[PartBuilder, onnx.GraphProto, onnx.NodeProto], None]] = {
    "BipolarQuant": _sign,
    "Quant": _wide,
}
