"""Constants behind the last quantiser become integers where they leave sums of integers what they are.

These are whole numbers that are added, and powers of two.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import helper, numpy_helper

from microstage_qcdq.graph.build import find_constant, set_nodes, subgraph

__all__ = ["WholeConstants"]

_QUANTISERS = ("QuantizeLinear", "Quant", "BipolarQuant")
_LARGEST = 2**24  # float32 holds every whole number below


class WholeConstants:
    """Turn whole constants into integers: the same numbers, in float as in integers.

    Add(x, 1.0) -> Add(x, DequantizeLinear(1)) at scale 1; Mul(x, 0.125) -> Mul(x, DequantizeLinear(1)) at scale 0.125.

    Precondition: a constant of a floating type that is whole and below 2^24; of a product, one number, a power of two;
    between quantisers and an output of the graph, which has to be integers at a scale.
    """

    def apply(self, model: onnx.ModelProto) -> tuple[onnx.ModelProto, bool]:
        """Return (model, whether anything changed)."""
        graph, changed = model.graph, False
        nodes: list[onnx.NodeProto] = []
        rounded = [node.output[0] for node in graph.node if node.op_type in _QUANTISERS]
        last = {node.output[0] for node in subgraph(graph, [output.name for output in graph.output], rounded)[0]}
        for node in graph.node:
            for place, name in enumerate(node.input) if node.output[0] in last else ():
                found = _integers(node.op_type, find_constant(graph, name))
                if found is not None:
                    nodes.append(self._dequantised(graph, name, *found))
                    node.input[place], changed = nodes[-1].output[0], True
            nodes.append(node)
        set_nodes(graph, nodes)
        return model, changed

    @staticmethod
    def _dequantised(graph: onnx.GraphProto, name: str, ints: np.ndarray, scale: float) -> onnx.NodeProto:
        stored = f"{name}.integers.{len(graph.initializer)}"
        graph.initializer.append(numpy_helper.from_array(ints.astype(np.int32), stored))
        graph.initializer.append(numpy_helper.from_array(np.float32(scale), f"{stored}.scale"))
        return helper.make_node("DequantizeLinear", [stored, f"{stored}.scale"], [f"{stored}.real"])


def _integers(operator: str, value: np.ndarray | None) -> tuple[np.ndarray, float] | None:
    """Return (integers, scale) of a constant that meets the precondition."""
    if value is None or value.dtype.kind != "f":
        return None
    if operator in ("Add", "Sub") and np.all(np.rint(value) == value) and np.abs(value).max(initial=0) < _LARGEST:
        return value, 1.0
    if operator == "Mul" and value.size == 1 and value > 0 and np.frexp(value)[0] == 0.5:
        return np.ones_like(value), float(value)
    return None
