"""A QDQ file in other forms of the same values: a runtime has faster kernels for one or the other.

`unsigned`: value = scale * (q - z) = scale * ((q + 128) - (z + 128)): every int8 activation and its zero point go up by
128; constants stay, or go up as well.
`in_floats`: constants behind a DequantizeLinear become the real numbers that it makes of them, so that a runtime
multiplies floats.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

__all__ = ["in_floats", "unsigned"]

_MOVES = {"Transpose", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity", "MaxPool", "Concat"}


def unsigned(model: onnx.ModelProto, constants: bool = False) -> onnx.ModelProto | None:
    """Return the file with uint8 activations, at its ends too, and uint8 `constants` if asked; None where it has no
    int8 activations, or computes with them between quantisers.
    """
    copy = onnx.ModelProto.FromString(model.SerializeToString())
    return copy if _Shift(copy.graph, constants).done() else None


def in_floats(model: onnx.ModelProto) -> onnx.ModelProto | None:
    """Return the file with its dequantised constants as float32; None where it has none."""
    copy = onnx.ModelProto.FromString(model.SerializeToString())
    graph, constants = copy.graph, {i.name: numpy_helper.to_array(i) for i in copy.graph.initializer}
    found = [
        node
        for node in graph.node
        if node.op_type == "DequantizeLinear" and all(name in constants for name in node.input)
    ]
    for node in found:
        graph.initializer.append(
            numpy_helper.from_array(_dequantised(node, [constants[name] for name in node.input]), node.output[0])
        )
        graph.node.remove(node)
    return copy if found else None


def _dequantised(node: onnx.NodeProto, arguments: list[np.ndarray]) -> np.ndarray:
    """Return (q - z) * scale in float32, as the operator is defined, along its axis."""
    integers, scale = arguments[0].astype(np.int32), arguments[1]
    zero = arguments[2].astype(np.int32) if len(arguments) > 2 else np.zeros_like(scale, np.int32)
    axis = next((attribute.i for attribute in node.attribute if attribute.name == "axis"), 1)
    shape = [-1 if place == axis % integers.ndim else 1 for place in range(integers.ndim)] if scale.size > 1 else []
    return ((integers - zero.reshape(shape)).astype(np.float32) * scale.reshape(shape)).astype(np.float32)


class _Shift:
    def __init__(self, graph: onnx.GraphProto, constants: bool) -> None:
        self.graph, self.constants = graph, {i.name: i for i in graph.initializer}
        self.all = constants
        self.moved = {
            v.name
            for v in graph.input
            if v.type.tensor_type.elem_type == TensorProto.INT8 and v.name not in self.constants
        }

    def done(self) -> bool:
        """Tell whether every node could be rewritten, and any had to be."""
        if not all(self._rewritten(node) for node in self.graph.node):
            return False
        for value in (*self.graph.input, *self.graph.output):
            if value.name in self.moved:
                value.type.tensor_type.elem_type = TensorProto.UINT8
        del self.graph.value_info[:]
        return bool(self.moved)

    def _rewritten(self, node: onnx.NodeProto) -> bool:
        if node.op_type == "QuantizeLinear":
            return self._quantiser(node)
        if self.all and node.op_type == "DequantizeLinear" and self._is_int8(node.input[0]):
            return self._raise(node, 0) and self._raise(node, 2)
        if not self.moved & {*node.input}:
            return True
        if node.op_type == "DequantizeLinear":
            return self._raise(node, 2)
        self.moved |= {*node.output}
        if node.op_type == "Clip":
            return all(self._raise(node, place) for place in range(1, len(node.input)) if node.input[place])
        return node.op_type in _MOVES and all(
            name in self.moved for name in node.input[: None if node.op_type == "Concat" else 1]
        )

    def _quantiser(self, node: onnx.NodeProto) -> bool:
        zero = self.constants.get(node.input[2]) if len(node.input) > 2 else None
        if zero is None or zero.data_type != TensorProto.INT8:
            return len(node.input) < 3 or zero is not None  # uint8 already
        self.moved |= {*node.output}
        return self._raise(node, 2)

    def _is_int8(self, name: str) -> bool:
        return name in self.constants and self.constants[name].data_type == TensorProto.INT8

    def _raise(self, node: onnx.NodeProto, place: int) -> bool:
        """Make the int8 constant at input `place`, or none at all (zero), uint8 and 128 more."""
        name = node.input[place] if len(node.input) > place else ""
        if name and name not in self.constants:
            return False
        value = numpy_helper.to_array(self.constants[name] if name else self.constants[node.input[1]])
        value = value if name else np.zeros_like(value, np.int8)
        raised = f"{name or node.output[0]}.raised"
        if raised not in self.constants:
            self.constants[raised] = numpy_helper.from_array((value.astype(np.int16) + 128).astype(np.uint8), raised)
            self.graph.initializer.append(self.constants[raised])
        if name:
            node.input[place] = raised
        else:
            node.input.append(raised)
        return True
