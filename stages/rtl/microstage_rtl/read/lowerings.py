"""List which lowering makes the calls of each operator of a streamlined graph: node in, value of its last output.

A new operator is a function here and a line in the table.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod

import numpy as np

from microstage.requantise import Search
from microstage_rtl.program.requantisation import counted
from microstage_rtl.read.builder import Sums
from microstage_rtl.read.node import LoweredNode, Value
from microstage_rtl.read.windows import WindowsOf

__all__ = ["LOWERINGS"]


def matmul(node: LoweredNode) -> Value:
    """Lower sums of products with constant weights [integers, filters]."""
    return _product(node, node.constant(1, "weights"), np.zeros(1, np.int64))


def xnor_popcount(node: LoweredNode) -> Value:
    """Lower counts of equal bits: of x and w, both 0 or 1, they are x (2 w - 1) + (1 - w), summed."""
    weights = node.constant(1, "weights")
    return _product(node, 2 * weights - 1, (1 - weights).sum(axis=0))


def im2col(node: LoweredNode) -> Value:
    """Lower windows of an image [1, H, W, C]: nothing is computed before they are multiplied."""
    said = node.attributes
    x = node.tensor()
    if len(x.shape) != 4:
        raise node.refuse(f"cuts windows of shape {x.shape}; expected an image [1, height, width, channels].")
    x = node.builder.padded(node.name, x, list(said.get("pad_amount", [0] * 4)))
    return WindowsOf.over(node.place, x, said["kernel_size"], said["stride"], said.get("dilations", [1, 1]))


def max_pool(node: LoweredNode) -> Value:
    """Lower the largest of each window of an image [1, H, W, C]."""
    said = node.attributes
    if any(said.get("pads", [0])) or said.get("ceil_mode", 0) or said.get("auto_pad", b"NOTSET") != b"NOTSET":
        raise node.refuse("pools over a border; the machine pools over whole windows only.")
    x = node.tensor()
    kernel = said["kernel_shape"]
    windows = WindowsOf.over(node.place, x, kernel, said.get("strides", [1, 1]), said.get("dilations", [1, 1]))
    return node.builder.pool(node.name, windows)


def add(node: LoweredNode) -> Value:
    """Lower a sum with a tensor or a constant."""
    return _pair(node, "sum")


def mul(node: LoweredNode) -> Value:
    """Lower a product with a tensor or a constant."""
    return _pair(node, "product")


def multi_threshold(node: LoweredNode) -> Value:
    """Lower out_bias + out_scale * number of thresholds reached, which ends the sums before it."""
    said, sums = node.attributes, _as_sums(node, 0)
    rows = np.sort(np.ceil(np.asarray(node.inputs[1], np.float64)).astype(np.int64), axis=-1)
    scale, bias = (float(said.get(name, usual)) for name, usual in (("out_scale", 1.0), ("out_bias", 0.0)))
    if scale != int(scale) or bias != int(bias):
        raise node.refuse(f"scales its output by {scale} and shifts it by {bias}; only integers can stay in the graph.")
    channels = sums.shape[-1]
    if len(rows) not in (1, channels) or len(rows) > 1 and _channel_axis(node, len(sums.shape)) != len(sums.shape) - 1:
        raise node.refuse(f"has {len(rows)} rows of thresholds for {channels} channels last; give one for each.")
    low, high = (end.reshape(-1, channels) for end in (sums.low, sums.high))
    low, high = low.min(axis=0), high.max(axis=0)
    levels = [(rows <= end[:, None]).sum(axis=1) for end in (low, high)]
    levels = [np.broadcast_to(level, sums.shape) for level in levels]
    search, before = Search(rows, 1, 0 if scale != 1 else int(bias)), (low, high)
    if np.any(sums.factor != 1):
        sums = _as_sums(node, 0, node.builder.stored(sums))
    if sums.offset.any():
        rows = rows - np.broadcast_to(sums.offset, channels)[:, None]
        search, before = Search(rows, 1, search.bias), (low - sums.offset, high - sums.offset)
    stage = counted(search, *before)
    found = node.builder.store(sums, stage, search.bias + levels[0], search.bias + levels[1])
    if scale == 1:
        return found
    more = node.builder.each(f"{node.name}_scaled", found)
    node.builder.multiply_constant(more, np.int64(scale))
    node.builder.add_constant(more, np.int64(bias))
    return more


def top(node: LoweredNode) -> Value:
    """Lower the place of the largest along the last axis."""
    x, said = node.tensor(), node.attributes
    keep = int(np.ravel(node.constant(1, "count"))[0]) if node.operator == "TopK" else 1
    axis = said.get("axis", -1 if node.operator == "TopK" else 0) % len(x.shape)
    inner = prod(x.shape[axis + 1 :])
    if keep != 1 or not said.get("largest", 1) or said.get("select_last_index", 0) or inner != 1:
        raise node.refuse("ranks more than the first largest along the last axis; the machine finds only that one.")
    x = x.seen_as((*x.shape[:axis], x.shape[axis]))
    return node.builder.place_of_largest(node.name, x)


def concat(node: LoweredNode) -> Value:
    """Lower tensors side by side along one axis: a copy of each."""
    parts = [node.tensor(index) for index in range(len(node.inputs))]
    axis = node.attributes["axis"] % len(parts[0].shape)
    low, high = (np.concatenate([getattr(part, end) for part in parts], axis=axis) for end in ("low", "high"))
    y = node.builder.tensor(node.name, low.shape, low, high)
    inner, first = prod(low.shape[axis + 1 :]), 0
    for part in parts:
        length = part.shape[axis] * inner
        node.builder.put(f"{node.name}_{first}", part, y.part(first, (1,)), length, low.shape[axis] * inner)
        first += length
    return y


def reshape(node: LoweredNode) -> Value:
    """Lower another shape of the same integers, which costs nothing."""
    x = node.tensor()
    if node.operator == "Flatten":
        axis = node.attributes.get("axis", 1) % (len(x.shape) + 1)
        return x.seen_as((prod(x.shape[:axis]), prod(x.shape[axis:])))
    asked = [x.shape[i] if n == 0 else n for i, n in enumerate(node.constant(1, "shape").tolist())]
    return x.seen_as(np.empty(x.shape, np.int8).reshape(asked).shape)


def squeeze(node: LoweredNode) -> Value:
    """Lower axes of one element that come or go, which costs nothing."""
    x = node.tensor()
    axes = node.constant(1, "axes").tolist() if len(node.inputs) > 1 else node.attributes.get("axes")
    change = np.squeeze if node.operator == "Squeeze" else np.expand_dims
    return x.seen_as(change(np.empty(x.shape, np.int8), None if axes is None else tuple(axes)).shape)


def transpose(node: LoweredNode) -> Value:
    """Lower another order of the axes: a copy, but where the integers stay in their order."""
    x = node.tensor()
    order = node.attributes.get("perm", list(range(len(x.shape)))[::-1])
    places = np.arange(x.size).reshape(x.shape).transpose(order)
    if (np.diff(places.ravel()) == 1).all():
        return x.seen_as(places.shape)
    return node.builder.copied(node.place, node.name, x, places)


def identity(node: LoweredNode) -> Value:
    """Lower what changes nothing."""
    return node.inputs[0]


def _product(node: LoweredNode, weights: np.ndarray, bias: np.ndarray) -> Sums:
    x = node.inputs[0] if isinstance(node.inputs[0], WindowsOf) else node.tensor()
    if weights.ndim != 2:
        raise node.refuse(f"has weights of shape {weights.shape}; expected [integers, filters].")
    return node.builder.product(node.place, node.name, x, weights, bias)


def _pair(node: LoweredNode, kind: str) -> Value:
    constants = [index for index, value in enumerate(node.inputs) if isinstance(value, np.ndarray)]
    if not constants:
        return node.builder.pair(node.place, node.name, node.tensor(0), node.tensor(1), kind)
    constant = node.constant(constants[0], "operand")
    sums = _as_sums(node, 1 - constants[0])
    channels = np.broadcast_to(constant, np.broadcast_shapes(constant.shape, sums.shape))
    if channels.shape != sums.shape or (channels != channels.reshape(-1, sums.shape[-1])[0]).any():
        raise node.refuse("joins a constant that differs from place to place; one for each last channel can be.")
    row = channels.reshape(-1, sums.shape[-1])[0]
    change = node.builder.add_constant if kind == "sum" else node.builder.multiply_constant
    change(sums, row[:1] if (row == row[0]).all() else row)
    return sums


def _as_sums(node: LoweredNode, index: int, x: Value | None = None) -> Sums:
    """Return input `index` as sums that a requantisation may end: those of the call before, or each of its integers."""
    value = node.inputs[index] if x is None else x
    if isinstance(value, Sums):
        return value
    node.inputs[index] = value
    return node.builder.each(node.name, node.tensor(index))


def _channel_axis(node: LoweredNode, rank: int) -> int:
    layout = node.attributes.get("data_layout", b"NCHW")
    layout = layout.decode() if isinstance(layout, bytes) else layout
    return rank - 1 if layout.endswith("C") else layout.index("C")


LOWERINGS: dict[str, Callable[[LoweredNode], Value]] = {
    "MatMul": matmul,
    "XnorPopcountMatMul": xnor_popcount,
    "Im2Col": im2col,
    "MaxPoolNHWC": max_pool,
    "MultiThreshold": multi_threshold,
    "Add": add,
    "Mul": mul,
    "TopK": top,
    "ArgMax": top,
    "Concat": concat,
    "Flatten": reshape,
    "Reshape": reshape,
    "Squeeze": squeeze,
    "Unsqueeze": squeeze,
    "Transpose": transpose,
    "Identity": identity,
}
