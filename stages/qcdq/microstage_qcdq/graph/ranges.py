"""The parts' borders: the integers that each tensor can hold."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto

from microstage.errors import ModelError
from microstage_qcdq.graph.build import constant

__all__ = ["element_type", "quantised_range"]


def element_type(low: int, high: int) -> int:
    """Return the ONNX type of integers low..high that DequantizeLinear takes: of 8 bits, or else of 32."""
    if -128 <= low < 0 and high <= 127:
        return TensorProto.INT8
    return TensorProto.UINT8 if 0 <= low and high <= 255 else TensorProto.INT32


def quantised_range(graph: onnx.GraphProto, name: str) -> tuple[int, int]:
    """Return (lowest, highest) integer of what a quantiser writes."""
    maker = next(node for node in graph.node if name in node.output)
    if maker.op_type == "QuantizeLinear":
        limits = np.iinfo(constant(graph, maker.input[2]).dtype)
        return int(limits.min), int(limits.max)
    if maker.op_type == "Clip":
        return int(constant(graph, maker.input[1])), int(constant(graph, maker.input[2]))
    raise ModelError(f"{name} is made by {maker.op_type}; expected a quantiser.")
