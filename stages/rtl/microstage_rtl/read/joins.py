"""Lower operators that join tensors: sums, products, concatenation, padding."""

from __future__ import annotations

from math import prod

import numpy as np

from microstage_rtl.read.builder import Sums
from microstage_rtl.read.levels import as_sums
from microstage_rtl.read.moves import move
from microstage_rtl.read.node import LoweredNode, Value

__all__ = ["add", "concat", "mul", "pad"]


def add(node: LoweredNode) -> Value:
    """Lower a sum with a tensor or a constant."""
    return _pair(node, "sum")


def mul(node: LoweredNode) -> Value:
    """Lower a product with a tensor or a constant."""
    return _pair(node, "product")


def _pair(node: LoweredNode, kind: str) -> Value:
    constants = [index for index, value in enumerate(node.inputs) if isinstance(value, np.ndarray)]
    if not constants:
        return node.builder.pair(node.name, node.tensor(0), node.tensor(1), kind)
    return _with_constant(node, 1 - constants[0], node.constant(constants[0], "operand"), kind)


def _with_constant(node: LoweredNode, index: int, constant: np.ndarray, kind: str) -> Value:
    """Join input `index` with a constant: one for all, one for each channel of an axis, or one for each place."""
    change = node.builder.add_constant if kind == "sum" else node.builder.multiply_constant
    value = node.inputs[index]
    seen = value.seen if isinstance(value, Sums) else node.tensor(index).shape
    shape = np.broadcast_shapes(constant.shape, seen)
    full = np.broadcast_to(constant, shape)
    varied = [axis for axis in range(len(shape)) if (full != full.take([0], axis)).any()]
    if shape == seen and len(varied) < 2:
        sums = as_sums(node, index, *varied)
    else:
        x = node.tensor(index).moved(lambda array: np.broadcast_to(array, shape))
        if len(varied) > 1:
            sums = node.builder.each(node.name, x.seen_as((1, x.size)), 1)
            change(sums, full.reshape(-1))
            return node.builder.stored(sums).seen_as(shape)
        sums = node.builder.each(node.name, x, *varied)
    axis = varied[0] if varied else 0
    change(sums, np.moveaxis(full, axis, -1).reshape(-1, shape[axis])[0, : shape[axis] if varied else 1])
    return sums


def concat(node: LoweredNode) -> Value:
    """Lower tensors side by side along one axis: a copy of each, in the order in which the first one lies."""
    parts = [node.tensor(index) for index in range(len(node.inputs))]
    axis = node.attributes["axis"] % len(parts[0].shape)
    order = parts[0].axes_as_they_lie
    parts = [part.moved(lambda array: array.transpose(order)) for part in parts]
    along = order.index(axis)
    low, high = (np.concatenate([getattr(part, end) for part in parts], axis=along) for end in ("low", "high"))
    y = node.builder.tensor(node.name, low.shape, low, high)
    inner, first = prod(low.shape[along + 1 :]), 0
    for part in parts:
        length = part.shape[along] * inner
        node.builder.put(f"{node.name}_{first}", part, y.part(first, (1,)), length, low.shape[along] * inner)
        first += length
    return y.moved(lambda array: array.transpose(np.argsort(order)))


def pad(node: LoweredNode) -> Value:
    """Lower a constant around a tensor, or its own integers, which are moved there."""
    if node.attributes.get("mode", "constant") != "constant":
        return move(node)
    x = node.tensor()
    amounts = node.constant(1, "amounts").reshape(2, -1).T
    given = len(node.inputs) > 2 and node.inputs[2] is not None
    value = int(node.constant(2, "fill").ravel()[0]) if given else 0
    if len(amounts) != len(x.shape) or (amounts < 0).any() or amounts[0].any():
        raise node.refuse(
            f"pads {list(x.shape)} by {amounts.tolist()}; amounts from 0 on for each axis behind the first can be."
        )
    return node.builder.padded(node.name, x, [(int(before), int(behind)) for before, behind in amounts], value)
