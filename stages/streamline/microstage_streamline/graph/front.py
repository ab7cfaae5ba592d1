"""What stands between an input of real numbers and the integers that enter behind its first quantiser."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from microstage.integer.tensor import real
from microstage_streamline.graph.graph import Graph

__all__ = ["Line", "line_before", "quantised_tensor"]

_QUANTISERS = ("QuantizeLinear", "Quant", "BipolarQuant")
_CARRYING = ("DequantizeLinear", "Clip", "Identity", "Rescale", "Cast")  # integers through, from the quantiser to where they enter
_EQUAL = 2.0**-40


@dataclass(frozen=True)
class Line:
    """slope * x + offset, element by element, each broadcastable to the input."""

    slope: np.ndarray
    offset: np.ndarray


def quantised_tensor(graph: Graph, tensor: str) -> str | None:
    """The real tensor that the quantiser before the integers `tensor` reads; None where they are an input's, or no quantiser's."""
    makers = {output: node for node in graph.nodes for output in node.outputs}
    while tensor in makers and makers[tensor].op in _CARRYING:
        tensor = makers[tensor].inputs[0]
    if tensor in makers and makers[tensor].op in _QUANTISERS:
        return makers[tensor].inputs[0]
    return None


def line_before(graph: Graph, name: str, tensor: str) -> Line | None:
    """What the quantiser before `tensor` reads, as a line of the input `name`: x / 255, 2 x - 1, (x - mean) / deviation; None if it is none."""
    before = quantised_tensor(graph, tensor)
    if before is None or before == name:
        return Line(np.float64(1), np.float64(0))
    shape = graph.inputs[name].shape
    zero, one, far = (real(graph.run({name: np.full(shape, x)}, [before])[before]) for x in (0.0, 1.0, -3.0))
    slope = one - zero
    straight = np.abs(zero - 3 * slope - far) <= _EQUAL * (np.abs(zero) + np.abs(slope))
    return Line(slope, zero) if zero.shape == shape and straight.all() and slope.all() else None
