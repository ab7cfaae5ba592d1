"""Run a cleaned graph in floats: its quantisers scale and shift, and neither round nor end.

What is below a lowest level of 0 stays cut, as a file's ReLU may be no more than that, and one bit stays between its
two levels. Functions that only levels have, thresholds and tables, are what they are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from microstage.integer.interpreter import run_node
from microstage.integer.quantisers import bits_of
from microstage.integer.tensor import real
from microstage_streamline.graph.graph import Graph, Node, saying_where

__all__ = ["LEVELS", "run_in_floats", "scale_and_zero"]

LEVELS = ("QuantizeLinear", "QuantLevels")
"Quantisers that give levels without their scale."

Values = Mapping[str, Any]


def run_in_floats(graph: Graph, inputs: Values, given: Values) -> dict[str, Any]:
    """Return every tensor as it is computed; what reads one of `given` reads its value there."""
    values: dict[str, Any] = {**graph.constants, **{name: given.get(name, inputs[name]) for name in inputs}}
    found: dict[str, Any] = dict(inputs)
    for node in graph.nodes:
        with saying_where(node):
            made = _run(node, values)
        found |= made
        values |= {name: given.get(name, value) for name, value in made.items()}
    return found


def _run(node: Node, values: Values) -> Values:
    first = values[node.inputs[0]]
    if node.op in _QUANTISERS:
        return {node.output: _QUANTISERS[node.op](node, real(first), values)}
    if getattr(first, "dtype", None) == np.float64:  # not the integers of an input
        if node.op in _DEQUANTISERS:
            scale, zero = scale_and_zero(node, values, first.ndim)
            return {node.output: (first - zero) * scale}
        if node.op in _OF_LEVELS:
            return run_node(node.proto(), {**values, node.inputs[0]: np.rint(first).astype(np.int64)})
    return run_node(node.proto(), values)


def _quantize_linear(node: Node, value: np.ndarray, values: Values) -> np.ndarray:
    scale, zero = scale_and_zero(node, values, value.ndim)
    return _from_zero(value / scale + zero, zero, _lowest(node, values))


def _quant_levels(node: Node, value: np.ndarray, values: Values) -> np.ndarray:
    scale, zero = scale_and_zero(node, values, value.ndim)
    return _from_zero(value / scale + zero, zero, None if node.flags["signed"] else 0)


def _quant(node: Node, value: np.ndarray, values: Values) -> np.ndarray:
    if not node.flags["signed"]:
        return np.maximum(value, 0)
    one_bit = bits_of(values[node.inputs[3]]) == 1
    return _bipolar(node, value, values) if one_bit else value


def _bipolar(node: Node, value: np.ndarray, values: Values) -> np.ndarray:
    scale = real(values[node.inputs[1]])
    return np.clip(value, -scale, scale)


_QUANTISERS: Mapping[str, Callable[[Node, np.ndarray, Values], np.ndarray]] = {
    "QuantizeLinear": _quantize_linear,
    "QuantLevels": _quant_levels,
    "Quant": _quant,
    "BipolarQuant": _bipolar,
}
"Each as a function of real values, without rounding."
_DEQUANTISERS = ("DequantizeLinear", "LessZeroPoint")
_OF_LEVELS = ("Lookup",)


def _from_zero(levels: np.ndarray, zero: np.ndarray, lowest: int | None) -> np.ndarray:
    """Cut what is below the lowest level, where that is the zero point."""
    return np.maximum(levels, zero) if lowest is not None and np.all(zero == lowest) else levels


def _lowest(node: Node, values: Values) -> int:
    """Return the lowest level of a QuantizeLinear: its zero point's type, else 0 as ONNX has it."""
    stored = values[node.inputs[2]] if len(node.inputs) > 2 else np.uint8(0)
    return int(np.iinfo(stored.dtype).min)


def scale_and_zero(node: Node, values: Values, rank: int) -> tuple[np.ndarray, np.ndarray]:
    """Return both as float64, to be broadcast to the tensor."""
    axis = node.flags.get("axis", 1)
    stored = [values[name] for name in node.inputs[1:3]]
    found = [_along(np.asarray(value, np.float64), axis, rank) for value in stored]
    return found[0], found[1] if len(found) > 1 else np.float64(0)


def _along(value: np.ndarray, axis: int, rank: int) -> np.ndarray:
    if value.ndim == 1 and value.size > 1:
        return value.reshape([-1 if place == axis % rank else 1 for place in range(rank)])
    return value.reshape(()) if value.size == 1 else value
