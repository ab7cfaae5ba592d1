"""Provable ranges: the least and the greatest integer that each tensor can hold, by interval arithmetic.

Exact for a product with constants (each weight meets the end of the range that is worst for it), and channel by
channel, so that an accumulator's width is proven rather than guessed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import onnx

from microstage.errors import ModelError
from microstage.integer.interpreter import attributes, run_node

__all__ = ["Range", "node_range", "of_type"]

_MOVERS = ("Transpose", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity", "Concat", "Split", "Slice", "Cast",
           "MaxPool", "MaxPoolNHWC", "Im2Col")


@dataclass(frozen=True)
class Range:
    """`low` and `high` int64 arrays in the tensor's own shape (batch 1)."""

    low: np.ndarray
    high: np.ndarray

    @property
    def ends(self) -> tuple[int, int]:
        return int(self.low.min()), int(self.high.max())


def of_type(shape: list[int], low: int, high: int) -> Range:
    """Every element anywhere in low..high."""
    return Range(np.full(shape, low, np.int64), np.full(shape, high, np.int64))


def node_range(node: onnx.NodeProto, known: Mapping[str, Range], constants: Mapping[str, np.ndarray]) -> dict[str, Range]:
    """Ranges of a node's outputs from those of its inputs; `ModelError` for an operator that has no rule."""
    moving = [name for name in node.input if name in known]
    if node.op_type in _MOVERS:
        return _moved(node, known, constants)
    if node.op_type in ("MatMul", "Conv"):
        return {node.output[0]: _product(node, known[moving[0]], constants)}
    if node.op_type == "XnorPopcountMatMul":
        return {node.output[0]: _popcount(node, known[moving[0]], constants)}
    if node.op_type == "TopK":
        return _largest(node, known[moving[0]], constants)
    if node.op_type in ("Add", "Mul"):
        return {node.output[0]: _join(node, known, constants)}
    if node.op_type == "MultiThreshold":
        return {node.output[0]: _thresholded(node, known[moving[0]], constants)}
    if node.op_type == "ArgMax":
        return {node.output[0]: _place(node, known[moving[0]])}
    raise ModelError(f"{node.op_type} -> {node.output[0]} has no integer range.")


def _moved(node, known, constants) -> dict[str, Range]:
    ends = []
    for side in ("low", "high"):
        values = {**constants, **{name: getattr(r, side) for name, r in known.items() if name in node.input}}
        ends.append(run_node(node, values))
    return {name: Range(ends[0][name], ends[1][name]) for name in node.output}


def _place(node, x: Range) -> Range:
    """The index of the largest of so many."""
    shape = run_node(node, {node.input[0]: x.low})[node.output[0]].shape
    return of_type(list(shape), 0, x.low.shape[attributes(node).get("axis", 0)] - 1)


def _product(node, x: Range, constants) -> Range:
    name = next(n for n in node.input[:2] if n in constants)
    weight = np.rint(constants[name]).astype(np.int64)
    above, below = np.maximum(weight, 0), np.minimum(weight, 0)

    def times(value: np.ndarray, part: np.ndarray) -> np.ndarray:
        arguments = {n: part if n == name else value for n in node.input[:2]}
        plain = onnx.NodeProto.FromString(node.SerializeToString())
        del plain.input[2:]
        return run_node(plain, arguments)[node.output[0]]

    low = times(x.low, above) + times(x.high, below)
    high = times(x.high, above) + times(x.low, below)
    if len(node.input) > 2:
        bias = np.rint(constants[node.input[2]]).astype(np.int64).reshape((1, -1) + (1,) * (low.ndim - 2))
        low, high = low + bias, high + bias
    return Range(low, high)


def _popcount(node, x: Range, constants) -> Range:
    """How many bits may equal, and how many must."""
    weight = np.rint(constants[node.input[1]]).astype(np.int64)
    return Range(x.low @ weight + (1 - x.high) @ (1 - weight), x.high @ weight + (1 - x.low) @ (1 - weight))


def _largest(node, x: Range, constants) -> dict[str, Range]:
    """Any of the values, from any of the places."""
    flags, values = attributes(node), {node.input[1]: constants[node.input[1]], node.input[0]: x.low}
    shape = list(run_node(node, values)[node.output[1]].shape)
    ends = x.ends, (0, x.low.shape[flags.get("axis", -1)] - 1)
    return {name: of_type(shape, *end) for name, end in zip(node.output, ends)}


def _join(node, known, constants) -> Range:
    sides = []
    for name in node.input:
        value = None if name in known else np.rint(constants[name]).astype(np.int64)
        sides.append(known[name] if value is None else Range(value, value))
    a, b = sides
    if node.op_type == "Add":
        return Range(a.low + b.low, a.high + b.high)
    corners = np.stack(np.broadcast_arrays(a.low * b.low, a.low * b.high, a.high * b.low, a.high * b.high))
    return Range(corners.min(0), corners.max(0))


def _thresholded(node, x: Range, constants) -> Range:
    ends = [run_node(node, {node.input[0]: side, node.input[1]: constants[node.input[1]]}) for side in (x.low, x.high)]
    if attributes(node).get("out_scale", 1.0) < 0:
        ends.reverse()
    return Range(*(end[node.output[0]] for end in ends))
