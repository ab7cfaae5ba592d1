"""The same graph in operators that stock onnxruntime has."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from microstage.integer.interpreter import attributes
from microstage_qcdq.convert.weights import quantiser_range, rounding_of
from microstage_qcdq.graph.build import PartBuilder, constant, constants, set_nodes

__all__ = ["in_stock_operators"]


def in_stock_operators(model: onnx.ModelProto) -> onnx.ModelProto:
    """Write quantisers in onnxruntime's operators; leave the rest as it is.

    BipolarQuant(x) = Where(x >= 0, 1, -1), the quantiser being at scale 1.
    Quant(x) = scale * (clip(round(x / scale + zero)) - zero), or floor in the place of round.
    MultiThreshold(x) = bias + the number of thresholds that x reaches, found by halving.
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
    spare = {name for node in graph.node if node.op_type in ("MultiThreshold", "Quant") for name in node.input[1:]}
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
    (x, scale, zero, bits), name = node.input, node.output[0]
    ends = quantiser_range(node, int(constant(graph, bits)))
    low, high = (b.constant(f"{name}.{end}", np.float32(value)) for end, value in zip(("low", "high"), ends))
    rounding = rounding_of(node)
    quotient, shifted = b.add("Div", [x, scale], f"{name}.quotient"), bool(np.any(constant(graph, zero)))
    if shifted:
        quotient = b.add("Add", [quotient, zero], f"{name}.shifted")
    levels = b.add("Clip", [b.add(rounding, [quotient], f"{name}.unclipped"), low, high], f"{name}.levels")
    if shifted:
        levels = b.add("Sub", [levels, zero], f"{name}.centred")
    b.add("Mul", [levels, scale], name)


def _staircase(b: PartBuilder, graph: onnx.GraphProto, node: onnx.NodeProto) -> None:
    """Search a table of thresholds for each channel, filled up to a power of two, and count those that are reached."""
    (x, thresholds), name = node.input, node.output[0]
    table = np.sort(constant(graph, thresholds), axis=1).astype(np.float32)
    size = 1 << table.shape[1].bit_length()
    padded = np.pad(table, ((0, 0), (0, size - table.shape[1])), constant_values=np.inf)
    flat, first = b.constant(f"{name}.table", padded.reshape(-1)), _first_of_channels(b, x, name, len(table), size)
    place = first
    for step in (1 << bit for bit in reversed(range(size.bit_length() - 1))):
        further = b.add("Add", [place, b.constant(f"{name}.step_{step}", np.int64(step - 1))], f"{name}.to_{step}")
        reached = b.add(
            "GreaterOrEqual", [x, b.add("Gather", [flat, further], f"{name}.at_{step}")], f"{name}.is_{step}"
        )
        beyond = b.add("Add", [further, b.constant("one.place", np.int64(1))], f"{name}.beyond_{step}")
        place = b.add("Where", [reached, beyond, place], f"{name}.place_{step}")
    counted = b.add("Cast", [b.add("Sub", [place, first], f"{name}.places")], f"{name}.counted", to=TensorProto.FLOAT)
    bias = np.float32(attributes(node).get("out_bias", 0.0))
    b.add("Add", [counted, b.constant(f"{name}.bias", bias)], name)


def _first_of_channels(b: PartBuilder, x: str, name: str, channels: int, size: int) -> str:
    """Return where each channel's table begins: [1, channels, 1, ...], of as many axes as `x` has."""
    rank = b.add("Shape", [b.add("Shape", [x], f"{name}.shape")], f"{name}.rank")
    further = b.add("Sub", [rank, b.constant("two.axes", np.int64([2]))], f"{name}.further")
    one = helper.make_tensor("value", TensorProto.INT64, [1], [1])
    ones = b.add("ConstantOfShape", [further], f"{name}.ones", value=one)
    axes = b.add("Concat", [b.constant(f"{name}.channels", np.int64([1, channels])), ones], f"{name}.axes", axis=0)
    return b.add("Reshape", [b.constant(f"{name}.first", np.arange(channels) * size), axes], f"{name}.firsts")


_WRITTEN: dict[str, Callable[[PartBuilder, onnx.GraphProto, onnx.NodeProto], None]] = {
    "BipolarQuant": _sign,
    "MultiThreshold": _staircase,
    "Quant": _wide,
}
