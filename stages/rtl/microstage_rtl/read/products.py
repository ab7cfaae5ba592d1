"""Lower sums of products with constant weights: dense layers, convolutions, counts of equal bits."""

from __future__ import annotations

import numpy as np

from microstage_rtl.program.call import HeldTensor
from microstage_rtl.read.builder import Sums
from microstage_rtl.read.node import LoweredNode, Value
from microstage_rtl.read.windows import WindowsOf

__all__ = ["conv", "gemm", "im2col", "matmul", "xnor_popcount"]

_LAST, _FIRST = (0, 2, 3, 1), (0, 3, 1, 2)
"Axes of an image whose channels go last, or come back first."


def matmul(node: LoweredNode) -> Value:
    """Lower sums of products with constant weights [integers, filters]."""
    return _product(node, node.constant(1, "weights"), np.zeros(1, np.int64))


def xnor_popcount(node: LoweredNode) -> Value:
    """Lower counts of equal bits: of x and w, both 0 or 1, they are x (2 w - 1) + (1 - w), summed."""
    weights = node.constant(1, "weights")
    return _product(node, 2 * weights - 1, (1 - weights).sum(axis=0))


def gemm(node: LoweredNode) -> Value:
    """Lower the same with constants that are added."""
    said = node.attributes
    if said.get("alpha", 1.0) != 1.0 or said.get("beta", 1.0) != 1.0 or said.get("transA", 0):
        raise node.refuse("has alpha, beta or transA; write the factors into the weights.")
    weights = node.constant(1, "weights")
    bias = node.constant(2, "bias").ravel() if len(node.inputs) > 2 else np.zeros(1, np.int64)
    return _product(node, weights.T if said.get("transB", 0) else weights, bias)


def _product(node: LoweredNode, weights: np.ndarray, bias: np.ndarray) -> Sums:
    x = node.inputs[0] if isinstance(node.inputs[0], WindowsOf) else node.tensor()
    if weights.ndim != 2:
        raise node.refuse(f"has weights of shape {weights.shape}; expected [integers, filters].")
    return node.builder.product(node.name, x, weights, bias)


def im2col(node: LoweredNode) -> Value:
    """Lower windows of an image [1, H, W, C]: nothing is computed before they are multiplied."""
    said, x = node.attributes, node.tensor()
    if len(x.shape) != 4 or said.get("pad_value", 0):
        raise node.refuse(
            f"cuts windows of shape {x.shape}; expected an image [1, height, width, channels], padded by 0."
        )
    pads = said.get("pad_amount", [0] * 4)
    return windows(node, x, said["kernel_size"], said["stride"], said.get("dilations", [1, 1]), pads)


def conv(node: LoweredNode) -> Value:
    """Lower a convolution of one or two dimensions, whose channels come first in the graph."""
    x, weights, said = node.tensor(), node.constant(1, "weights"), node.attributes
    spatial = weights.ndim - 2
    if spatial not in (1, 2) or len(x.shape) != weights.ndim:
        raise node.refuse(f"convolves {list(x.shape)} with {list(weights.shape)}; one and two dimensions can be.")
    image = image_of(x)
    strides, dilations = ([1] * (2 - spatial) + list(said.get(n, [1] * spatial)) for n in ("strides", "dilations"))
    kernel = [1] * (2 - spatial) + list(weights.shape[2:])
    pads = pads_of(list(said.get("pads", [0] * 2 * spatial)))
    rows = _of_all_channels(weights.reshape(*weights.shape[:2], *kernel), said.get("group", 1))
    bias = node.constant(2, "bias").ravel() if len(node.inputs) > 2 else np.zeros(1, np.int64)
    sums = node.builder.product(node.name, windows(node, image, kernel, strides, dilations, pads), rows, bias)
    return first_again(sums, spatial)


def _of_all_channels(weights: np.ndarray, groups: int) -> np.ndarray:
    """Return weights [filters, channels of a group, kh, kw] as [kh * kw * channels, filters], 0 for other groups."""
    filters, own, height, width = weights.shape
    each = filters // groups
    full = np.zeros((filters, groups, own, height, width), np.int64)
    group = np.arange(filters) // each
    full[np.arange(filters), group] = weights
    return full.reshape(filters, groups * own, height * width).transpose(2, 1, 0).reshape(-1, filters)


def image_of(x: HeldTensor) -> HeldTensor:
    """Return [1, C, W] or [1, C, H, W] as an image [1, H, W, C]."""
    x = x.seen_as((*x.shape[:2], 1, x.shape[2])) if len(x.shape) == 3 else x
    return x.moved(lambda array: array.transpose(_LAST))


def first_again(sums: Sums, spatial: int) -> Sums:
    """Return results [1, H, W, C] with the channels first, of so many dimensions."""
    if spatial == 1:
        return sums.turned((1, *sums.shape[2:]), (0, 2, 1))
    return sums.turned(sums.shape, _FIRST)


def pads_of(amounts: list[int]) -> list[int]:
    """Return how much is around an image: rows above, columns left, rows below, columns right."""
    return amounts if len(amounts) == 4 else [0, amounts[0], 0, amounts[1]]


def windows(node: LoweredNode, x: HeldTensor, kernel, strides, dilations, pads, value: int = 0) -> WindowsOf:
    """Return the windows over an image [1, H, W, C] with so much of `value` around it."""
    top, left, bottom, right = pads
    image = node.builder.padded(node.name, x, [(0, 0), (top, bottom), (left, right), (0, 0)], value)
    return WindowsOf.over(node.builder.place, node.builder.in_order(image), kernel, strides, dilations)
