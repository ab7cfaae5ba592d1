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
from microstage.integer.registry import Kind, named

__all__ = [
    "Range",
    "between_ends",
    "node_range",
    "of_largest",
    "of_pair",
    "of_place",
    "of_popcount",
    "of_product",
    "of_table",
    "of_type",
]

_FITS = 2.0**62


@dataclass(frozen=True)
class Range:
    """`low` and `high` int64 arrays in the tensor's own shape (batch 1)."""

    low: np.ndarray
    high: np.ndarray

    @property
    def ends(self) -> tuple[int, int]:
        return int(self.low.min()), int(self.high.max())


def of_type(shape: list[int], low: int, high: int) -> Range:
    """Return every element anywhere in low..high."""
    return Range(np.full(shape, low, np.int64), np.full(shape, high, np.int64))


def node_range(
    node: onnx.NodeProto, known: Mapping[str, Range], constants: Mapping[str, np.ndarray]
) -> dict[str, Range]:
    """Return the ranges of a node's outputs from those of its inputs.

    By the operator's own rule, or from what its kind says.
    """
    entry = named(node.op_type)
    if entry.ranges is not None:
        return entry.ranges(node, known, constants)
    if entry.kind in (Kind.MOVES, Kind.MONOTONE):
        return between_ends(node, known, constants)
    raise ModelError(f"{node.op_type} -> {node.output[0]} has no integer range.")


def between_ends(node, known, constants) -> dict[str, Range]:
    """Return the range between the ends: what never turns round takes its least and its greatest value there."""
    ends = []
    for side in ("low", "high"):
        values = {**constants, **{name: getattr(r, side) for name, r in known.items() if name in node.input}}
        ends.append({name: np.asarray(getattr(found, "ints", found)) for name, found in run_node(node, values).items()})
    return {
        name: Range(np.minimum(ends[0][name], ends[1][name]), np.maximum(ends[0][name], ends[1][name]))
        for name in node.output
    }


def of_place(node, known, constants) -> dict[str, Range]:
    """Return the index of the largest of so many."""
    x = known[node.input[0]]
    shape = run_node(node, {node.input[0]: x.low})[node.output[0]].shape
    return {node.output[0]: of_type(list(shape), 0, x.low.shape[attributes(node).get("axis", 0)] - 1)}


def of_product(node, known, constants) -> dict[str, Range]:
    """Return the range of a product; each weight meets the end of the range that is worst for it."""
    x = known[next(n for n in node.input[:2] if n in known)]
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
    return {node.output[0]: Range(low, high)}


def of_popcount(node, known, constants) -> dict[str, Range]:
    """Return how many bits may equal, and how many must."""
    x, weight = known[node.input[0]], np.rint(constants[node.input[1]]).astype(np.int64)
    low, high = (a @ weight + (1 - b) @ (1 - weight) for a, b in ((x.low, x.high), (x.high, x.low)))
    return {node.output[0]: Range(low, high)}


def of_largest(node, known, constants) -> dict[str, Range]:
    """Return any of the values, from any of the places."""
    x = known[node.input[0]]
    flags, values = attributes(node), {node.input[1]: constants[node.input[1]], node.input[0]: x.low}
    shape = list(run_node(node, values)[node.output[1]].shape)
    ends = x.ends, (0, x.low.shape[flags.get("axis", -1)] - 1)
    return {name: of_type(shape, *end) for name, end in zip(node.output, ends)}


def of_pair(node, known, constants) -> dict[str, Range]:
    """Return the corners of both ranges."""
    sides = []
    for name in node.input:
        value = None if name in known else np.rint(constants[name]).astype(np.int64)
        sides.append(known[name] if value is None else Range(value, value))
    a, b = sides
    plain = {"Add": np.add, "Sub": np.subtract, "Mul": np.multiply}[node.op_type]
    if (
        max(np.abs(plain(one.astype(np.float64), other)).max() for one in (a.low, a.high) for other in (b.low, b.high))
        >= _FITS
    ):
        raise ModelError(f"{node.op_type} -> {node.output[0]} may need more than 62 bits")
    corners = np.stack([plain(one, other) for one in (a.low, a.high) for other in (b.low, b.high)])
    return {node.output[0]: Range(corners.min(0), corners.max(0))}


def of_table(node, known, constants) -> dict[str, Range]:
    """Return the least and the largest entry between the ends of each element."""
    x, rows, flags = known[node.input[0]], constants[node.input[1]], attributes(node)
    axis = flags.get("axis", 1) % x.low.ndim
    shape = [-1 if place == axis else 1 for place in range(x.low.ndim)]
    row = np.broadcast_to(np.arange(len(rows)).reshape(shape) if len(rows) > 1 else 0, x.low.shape)
    asked = np.stack([row, x.low - flags["low"], x.high - flags["low"]], -1).reshape(-1, 3)
    if asked[:, 1].min() < 0 or asked[:, 2].max() >= rows.shape[1]:
        raise ModelError(f"{node.op_type} -> {node.output[0]} has {rows.shape[1]} values for {x.ends[0]}..{x.ends[1]}")
    cases, which = np.unique(asked, axis=0, return_inverse=True)
    found = [rows[channel, first : last + 1] for channel, first, last in cases]
    ends = (
        np.array([end(values) for values in found], np.int64)[which.reshape(-1)].reshape(x.low.shape)
        for end in (np.min, np.max)
    )
    return {node.output[0]: Range(*ends)}
