"""Weight quantisers become integer initialisers."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import helper, numpy_helper

from microstage.errors import ModelError
from microstage.integer.interpreter import attributes
from microstage.integer.quantisers import quantise
from microstage_qcdq.graph.build import constant, find_constant

__all__ = ["FoldWeightQuant", "quantiser_range", "rounding_of", "rounds_to_even"]

_ROUNDINGS = {"ROUND": "Round", "HALF_EVEN": "Round", "FLOOR": "Floor", "CEIL": "Ceil"}
_WIDEST = {8: np.int8, 16: np.int16, 32: np.int32}


def quantiser_range(node: onnx.NodeProto, bits: int) -> tuple[int, int]:
    """Return (lowest, highest) integer of a Quant node of `bits`."""
    flags = attributes(node)
    if flags["signed"]:
        return -(2 ** (bits - 1)) + flags["narrow"], 2 ** (bits - 1) - 1
    return 0, 2**bits - 1 - flags["narrow"]


def rounds_to_even(node: onnx.NodeProto) -> bool:
    """Return whether a Quant node rounds halves to the even neighbour, which is all that QCDQ can say."""
    return rounding_of(node) == "Round"


def rounding_of(node: onnx.NodeProto) -> str:
    """Return ONNX's operator that rounds as a Quant node does; `ModelError` where there is none."""
    said = attributes(node).get("rounding_mode", "ROUND").upper()
    if said not in _ROUNDINGS:
        raise ModelError(f"{node.output[0]} rounds by {said}; expected one of {', '.join(_ROUNDINGS)}.")
    return _ROUNDINGS[said]


class FoldWeightQuant:
    """Turn Quant(w) into DequantizeLinear(integers): w = scale * integer.

    The integer is clip(round(w / scale)), divided in float32.

    Precondition: w, scale and width are constants, the zero point is 0. Brevitas exports weights already quantised, so
    the rounding only takes back what a float multiplication put in. BipolarQuant's integers are -1 and 1.
    """

    def apply(self, model: onnx.ModelProto) -> tuple[onnx.ModelProto, bool]:
        """Return (model, whether anything changed)."""
        graph, changed = model.graph, False
        for node in [n for n in graph.node if n.op_type in ("Quant", "BipolarQuant")]:
            weight = find_constant(graph, node.input[0])
            if weight is not None:
                self._fold(graph, node, weight)
                changed = True
        return model, changed

    def _fold(self, graph: onnx.GraphProto, node: onnx.NodeProto, weight: np.ndarray) -> None:
        scale = constant(graph, node.input[1])
        ints = self._bipolar(weight) if node.op_type == "BipolarQuant" else self._integers(graph, node, weight, scale)
        stored = f"{node.input[0]}.integers"
        inputs = [stored, node.input[1]]
        axis = self._axis(scale)
        graph.initializer.extend([numpy_helper.from_array(ints, stored)])
        self._flatten(graph, node.input[1], scale)
        if ints.dtype == np.int8:
            zeros = np.zeros(() if scale.size == 1 else scale.size, np.int8)
            graph.initializer.extend([numpy_helper.from_array(zeros, f"{stored}.zero")])
            inputs.append(f"{stored}.zero")
        replacement = helper.make_node(
            "DequantizeLinear", inputs, [node.output[0]], name=f"DequantizeLinear_{node.output[0]}", **axis
        )
        place = list(graph.node).index(node)
        graph.node.remove(node)
        graph.node.insert(place, replacement)

    @staticmethod
    def _bipolar(weight: np.ndarray) -> np.ndarray:
        return np.where(weight >= 0, 1, -1).astype(np.int8)

    @staticmethod
    def _integers(graph: onnx.GraphProto, node: onnx.NodeProto, weight: np.ndarray, scale: np.ndarray) -> np.ndarray:
        zero, bits = (constant(graph, name) for name in node.input[2:4])
        if np.any(zero):
            raise ModelError(f"{node.input[0]} has a zero point; weights are expected to be symmetric.")
        if not rounds_to_even(node):
            raise ModelError(
                f"{node.input[0]} rounds by {attributes(node)['rounding_mode']}; weights, by half to even."
            )
        low, high = quantiser_range(node, int(bits))
        kind = next((k for width, k in sorted(_WIDEST.items()) if int(bits) <= width and k != np.int16), None)
        if kind is None:
            raise ModelError(f"{node.input[0]} has {int(bits)} bits; at most 32 can be carried.")
        return quantise(weight, scale, 0, low, high).astype(kind)

    @staticmethod
    def _axis(scale: np.ndarray) -> dict[str, int]:
        if scale.size == 1:
            return {}
        axes = [axis for axis, size in enumerate(scale.shape) if size > 1]
        if len(axes) != 1:
            raise ModelError(f"A weight scale of shape {list(scale.shape)} follows more than one axis.")
        return {"axis": axes[0]}

    @staticmethod
    def _flatten(graph: onnx.GraphProto, name: str, scale: np.ndarray) -> None:
        for initializer in graph.initializer:
            if initializer.name == name:
                flat = scale.reshape(() if scale.size == 1 else -1).astype(np.float32)
                initializer.CopyFrom(numpy_helper.from_array(flat, name))
