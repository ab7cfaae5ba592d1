"""Activation quantisers become QuantizeLinear, Clip, DequantizeLinear.

Bipolar ones become BipolarQuant, Cast, DequantizeLinear; wide ones stay, and those that round otherwise.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import numpy_helper

from microstage.errors import ModelError
from microstage_qcdq.convert.weights import quantiser_range, rounds_to_even
from microstage_qcdq.graph.build import QONNX, PartBuilder, constant, constants, find_constant, set_nodes

__all__ = ["ConvertActivationQuant"]

_QUANTISERS = ("Quant", "BipolarQuant")
_NARROW, _WIDE = 8, 16


class ConvertActivationQuant:
    """Quant(x) -> DequantizeLinear(Clip(QuantizeLinear(x))); the integers keep the boundary's name.

    Precondition: at most 8 bits, one scale, one whole zero point, rounding half to even: all that QCDQ can say. It has
    no -1 or 1 by sign: BipolarQuant stays, at scale 1, and a Cast makes integers of what it gives. Nor has it more than
    8 bits, or another rounding: such a Quant stays as it is, and what it gives are real values under the boundary's
    name. QuantizeLinear adds the zero point to what is rounded, Quant before: at a tie, an odd one makes a difference.
    """

    def apply(self, model: onnx.ModelProto) -> tuple[onnx.ModelProto, bool]:
        """Return (model, whether anything changed)."""
        graph, nodes, changed = model.graph, [], False
        for node in graph.node:
            if node.op_type in _QUANTISERS:
                changed = True
                if self._bits(graph, node) > _NARROW or not self._rounds_to_even(node):
                    node.domain = QONNX
                    nodes.append(node)
                    continue
                builder = self._bipolar(graph, node) if node.op_type == "BipolarQuant" else self._convert(graph, node)
                nodes += builder.nodes
                known = constants(graph)
                missing = {name: v for name, v in builder.initializers.items() if name not in known}
                graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in missing.items())
                self._read_instead(graph, node.output[0])
            else:
                nodes.append(node)
        set_nodes(graph, nodes)
        return model, changed

    @staticmethod
    def _bits(graph: onnx.GraphProto, node: onnx.NodeProto) -> int:
        """Return the bits of a quantiser that later stages carry."""
        if node.op_type == "BipolarQuant":
            return 1
        boundary = node.output[0]
        scale, zero, bits = (find_constant(graph, name) for name in node.input[1:4])
        if scale is None or zero is None or bits is None or scale.size != 1 or int(bits) > _WIDE:
            raise ModelError(f"{boundary} cannot be carried on: expected one constant scale, at most {_WIDE} bits.")
        if zero.size != 1 or float(zero) % 1:
            raise ModelError(f"{boundary} cannot be carried on: expected one zero point, a whole number.")
        return int(bits)

    @staticmethod
    def _rounds_to_even(node: onnx.NodeProto) -> bool:
        return node.op_type == "BipolarQuant" or rounds_to_even(node)

    @staticmethod
    def _convert(graph: onnx.GraphProto, node: onnx.NodeProto) -> PartBuilder:
        boundary = node.output[0]
        scale, zero, bits = (constant(graph, name) for name in node.input[1:4])
        low, high = quantiser_range(node, int(bits))
        builder = PartBuilder()
        ints = builder.quantise(node.input[0], float(scale), low, high, boundary, int(zero))
        kind = builder.initializers[f"{boundary}.zero"].dtype.type
        builder.dequantise(ints, float(scale), kind, f"{boundary}.real", int(zero))
        return builder

    @staticmethod
    def _bipolar(graph: onnx.GraphProto, node: onnx.NodeProto) -> PartBuilder:
        boundary, scale = node.output[0], find_constant(graph, node.input[1])
        if scale is None or scale.size != 1:
            raise ModelError(f"{boundary} has a scale that is computed, or several; expected one constant.")
        builder = PartBuilder()
        sign = builder.add(
            "BipolarQuant", [node.input[0], builder.constant("one", np.float32(1))], f"{boundary}.sign", domain=QONNX
        )
        builder.add("Cast", [sign], boundary, to=onnx.TensorProto.INT8)
        builder.dequantise(boundary, float(scale), np.int8, f"{boundary}.real")
        return builder

    @staticmethod
    def _read_instead(graph: onnx.GraphProto, boundary: str) -> None:
        for reader in graph.node:
            if reader.op_type in _QUANTISERS and reader.output[0] == boundary:
                continue
            for index, name in enumerate(reader.input):
                if name == boundary:
                    reader.input[index] = f"{boundary}.real"
