"""Lower operators that sum products: matrix products, convolutions, and the patches of images."""

from __future__ import annotations

import numpy as np

from microstage_cbackend.program.ir import Tensor
from microstage_cbackend.read.node import ReadNode

__all__ = ["conv", "gemm", "im2col", "matmul", "xnor_popcount"]


def matmul(node: ReadNode) -> list[Tensor]:
    """Lower rows of x times a constant matrix."""
    x, weights = node.x, node.constant(1, "right-hand matrix")
    if weights.ndim != 2 or x.data is not None or x.shape[-1] != weights.shape[0]:
        raise node.refuse(
            f"multiplies {list(x.shape)} by {list(weights.shape)}; values [..., depth] by constants [depth, columns] "
            "can be made."
        )
    return [node.builder.linear(node.place, node.operator, node.name, x, weights.T)]


def xnor_popcount(node: ReadNode) -> list[Tensor]:
    """Lower how many bits of a row of x equal those of a constant column.

    This is their product with -1 for 0, plus the column's zeros.
    """
    x, bits = node.x, node.constant(1, "right-hand matrix")
    if bits.ndim != 2 or x.data is not None or x.shape[-1] != bits.shape[0]:
        raise node.refuse(
            f"compares {list(x.shape)} with {list(bits.shape)}; bits [..., depth] with constants [depth, columns] can "
            "be made."
        )
    if x.low < 0 or x.high > 1 or not np.isin(bits, (0, 1)).all():
        raise node.refuse(f"compares values {x.low}..{x.high} with {bits.min()}..{bits.max()}; only 0 and 1 are bits.")
    zeros = (1 - bits).sum(axis=0)
    return [node.builder.linear(node.place, node.operator, node.name, x, 2 * bits.T - 1, zeros)]


def gemm(node: ReadNode) -> list[Tensor]:
    """Lower rows of x times a constant matrix, plus constants."""
    if node.attribute("alpha", 1.0) != 1.0 or node.attribute("beta", 1.0) != 1.0 or node.attribute("transA", 0):
        raise node.refuse("has alpha, beta or transA; write the factors into the weights.")
    weights = node.constant(1, "weights")
    weights = weights if node.attribute("transB", 0) else weights.T
    bias = np.broadcast_to(node.constant(2, "bias").ravel(), len(weights)).copy() if node.has(2) else None
    return [node.builder.linear(node.place, node.operator, node.name, node.x, weights, bias)]


def conv(node: ReadNode) -> list[Tensor]:
    """Lower a convolution in 1-D or 2-D, channels first in the graph."""
    x, weights = node.x, node.constant(1, "weights")
    if weights.ndim not in (3, 4) or len(x.shape) != weights.ndim or x.data is not None:
        raise node.refuse(
            f"convolves {list(x.shape)} with {list(weights.shape)}; 1-D and 2-D convolutions by constants can be made."
        )
    bias = node.constant(2, "bias") if node.has(2) else None
    window = node.window(x.shape[2:], weights.shape[2:])
    return [
        node.builder.conv(node.place, node.operator, node.name, x, weights, bias, node.attribute("group", 1), window)
    ]


def im2col(node: ReadNode) -> list[Tensor]:
    """Lower patches of a channels-last image, ordered (kernel_h, kernel_w, channels).

    A matrix product behind it makes a convolution of it.
    """
    x, kernel = node.x, node.attribute("kernel_size", [])
    if len(x.shape) != 4 or len(kernel) != 2:
        raise node.refuse(
            f"takes patches of shape {kernel} from {list(x.shape)}; [1, height, width, channels] can be made."
        )
    window = node.window(x.shape[1:3], kernel, "stride", "pad_amount")
    return [node.builder.patches(node.place, node.operator, node.name, x, window, node.attribute("pad_value", 0))]
