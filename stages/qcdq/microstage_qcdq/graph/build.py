"""Small helpers to build ONNX graphs; every tensor has a name that a person would give it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from microstage.errors import ModelError

__all__ = [
    "PartBuilder",
    "constant",
    "constants",
    "find_constant",
    "float_value",
    "int8_value",
    "make_model",
    "reading",
    "set_nodes",
    "subgraph",
]

OPSET = 13
QONNX = "qonnx.custom_op.general"
IR_VERSION = 8
_INT32: int = TensorProto.INT32


class PartBuilder:
    """Nodes and initialisers of a graph in the making."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: dict[str, np.ndarray] = {}

    def add(self, operator: str, inputs: Iterable[str], output: str, **attributes) -> str:
        """Append a node and return the name of its output."""
        self.nodes.append(helper.make_node(operator, list(inputs), [output], **attributes))
        return output

    def constant(self, name: str, value: np.ndarray) -> str:
        """Add an initialiser; the same name again must hold the same value."""
        value = np.asarray(value)
        known = self.initializers.setdefault(name, value)
        if known is not value and not np.array_equal(known, value):
            raise ModelError(f"Two constants are called {name}.")
        return name

    def dequantise(self, ints: str, scale: float, kind: type, output: str, zero: int = 0) -> str:
        """Append value = scale * (integer - zero), and return its name, `output`."""
        names = [ints, self.constant(f"{output}.scale", np.float32(scale)), self.constant(f"{output}.zero", kind(zero))]
        return self.add("DequantizeLinear", names, output)

    def quantise(self, value: str, scale: float, low: int, high: int, output: str, zero: int = 0) -> str:
        """Round half to even, add `zero`, clip to low..high: integers called `output`, int32 where 8 bits do not hold
        them; those have no zero point.
        """
        if high - low > 255:
            return self.quantise_step_by_step(value, scale, low, high, output)
        kind = np.int8 if low < 0 else np.uint8
        limits = np.iinfo(kind)
        whole = (low, high) == (limits.min, limits.max)
        names = [
            value,
            self.constant(f"{output}.scale", np.float32(scale)),
            self.constant(f"{output}.zero", kind(zero)),
        ]
        rounded = self.add("QuantizeLinear", names, output if whole else f"{output}.unclipped")
        if whole:
            return rounded
        bounds = [self.constant(f"{output}.low", kind(low)), self.constant(f"{output}.high", kind(high))]
        return self.add("Clip", [rounded, *bounds], output)

    def quantise_step_by_step(
        self, value: str, scale: float, low: int, high: int, output: str, rounding: str = "Round", kind: int = _INT32
    ) -> str:
        """Divide, round by an operator of ONNX, clip: integers of ONNX's type `kind`, called `output`."""
        quotient = self.add("Div", [value, self.constant(f"{output}.scale", np.float32(scale))], f"{output}.quotient")
        ends = [self.constant(f"{output}.low", np.float32(low)), self.constant(f"{output}.high", np.float32(high))]
        levels = self.add("Clip", [self.add(rounding, [quotient], f"{output}.unclipped"), *ends], f"{output}.levels")
        return self.add("Cast", [levels], output, to=kind)


def find_constant(graph: onnx.GraphProto, name: str) -> np.ndarray | None:
    """Return the value of an initialiser; None for a tensor that is computed or comes in."""
    return next((numpy_helper.to_array(i) for i in graph.initializer if i.name == name), None)


def constant(graph: onnx.GraphProto, name: str) -> np.ndarray:
    """Return the value of an initialiser; `ModelError` for a tensor that is none."""
    found = find_constant(graph, name)
    if found is None:
        raise ModelError(f"{name} is computed; expected a constant.")
    return found


def constants(graph: onnx.GraphProto) -> dict[str, np.ndarray]:
    """Return every initialiser by name."""
    return {i.name: numpy_helper.to_array(i) for i in graph.initializer}


def set_nodes(graph: onnx.GraphProto, nodes: Iterable[onnx.NodeProto]) -> None:
    """Give `graph` these nodes, some of which may be its own, in the place of those that it has."""
    kept = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del graph.node[:]
    graph.node.extend(kept)


def reading(node: onnx.NodeProto, renamed: Mapping[str, str]) -> onnx.NodeProto:
    """Return a copy of `node` that reads other tensors: {old: new}."""
    copy = onnx.NodeProto.FromString(node.SerializeToString())
    for index, name in enumerate(copy.input):
        copy.input[index] = renamed.get(name, name)
    return copy


def int8_value(name: str, shape: list, kind: int = TensorProto.INT8) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def float_value(name: str, shape: list) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def make_model(
    name, nodes, initializers: dict[str, np.ndarray], inputs, outputs, opset: int = OPSET
) -> onnx.ModelProto:
    """Return a checked model with sorted initialisers, nodes called after what they make, and no time of its making."""
    used = {tensor for node in nodes for tensor in node.input}
    kept = [numpy_helper.from_array(np.asarray(v), n) for n, v in sorted(initializers.items()) if n in used]
    graph = helper.make_graph(list(nodes), name, list(inputs), list(outputs), kept)
    for node in graph.node:
        node.name = f"{node.op_type}_{node.output[0]}"
    custom = [helper.make_opsetid(domain, 1) for domain in sorted({node.domain for node in graph.node} - {""})]
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset), *custom], ir_version=IR_VERSION)
    model.producer_name = "microstage"
    onnx.checker.check_model(model)
    return model


def subgraph(
    graph: onnx.GraphProto, target: str | Iterable[str], stops: Iterable[str]
) -> tuple[list[onnx.NodeProto], list[str]]:
    """Return (nodes in order, sources) that compute `target`, or several, from `stops`, inputs and constants."""
    targets = {target} if isinstance(target, str) else set(target)
    makers = {output: node for node in graph.node for output in node.output}
    constants = {i.name for i in graph.initializer}
    wanted, sources, queue = set(), [], sorted(targets)
    while queue:
        name = queue.pop()
        if name in constants or not name:
            continue
        if (name in stops and name not in targets) or name not in makers:
            if name not in sources:
                sources.append(name)
            continue
        node = makers[name]
        if id(node) not in wanted:
            wanted.add(id(node))
            queue.extend(node.input)
    return [node for node in graph.node if id(node) in wanted], sorted(sources)
