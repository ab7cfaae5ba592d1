"""Compute layers that sum products or windows, and the patches that they see."""

from __future__ import annotations

import numpy as np

from microstage_cbackend.program.ir import KernelCall
from microstage_cbackend.program.meaning.stage import finish

__all__ = ["conv2d", "im2col", "linear", "pool"]


def linear(layer: KernelCall, operands: list[np.ndarray], held: np.ndarray) -> np.ndarray:
    """Multiply rows by a matrix."""
    x, w = operands
    s = layer.shape
    weights = (w if layer.kernel == "ms_linear" else _expand(layer, s["depth"])).reshape(s["columns"], s["depth"])
    rows = x[: s["rows"] * s["depth"]].reshape(s["rows"], s["depth"])
    return finish(layer, rows @ weights.T, np.arange(s["columns"]))


def _expand(layer: KernelCall, depth: int) -> np.ndarray:
    """Return the packed weights as integers [rows, depth]."""
    bits = layer.packed_bits
    packed = layer.weights.reshape(-1, (depth * bits + 7) // 8).astype(np.int64)
    fields = packed[:, :, None] >> (np.arange(8 // bits) * bits) & ((1 << bits) - 1)
    values = 2 * fields - 1 if bits == 1 else (fields ^ (1 << (bits - 1))) - (1 << (bits - 1))
    return values.reshape(len(packed), -1)[:, :depth]


def _patches(x: np.ndarray, s: dict, channels: int, outside: int) -> np.ndarray:
    """Return what each position of x [height][width][channels] sees: [out_h, out_w, kernel_h, kernel_w, channels]."""
    image = x[: s["height"] * s["width"] * channels].reshape(s["height"], s["width"], channels)
    rows = (
        np.arange(s["out_height"])[:, None] * s["stride_h"]
        + np.arange(s["kernel_h"]) * s.get("dilation_h", 1)
        - s["pad_top"]
    )
    columns = (
        np.arange(s["out_width"])[:, None] * s["stride_w"]
        + np.arange(s["kernel_w"]) * s.get("dilation_w", 1)
        - s["pad_left"]
    )
    inside = ((rows >= 0) & (rows < s["height"]))[:, None, :, None] & ((columns >= 0) & (columns < s["width"]))[
        None, :, None, :
    ]
    found = image[
        np.clip(rows, 0, s["height"] - 1)[:, None, :, None], np.clip(columns, 0, s["width"] - 1)[None, :, None, :]
    ]
    return np.where(inside[..., None], found, outside)


def conv2d(layer: KernelCall, operands: list[np.ndarray], held: np.ndarray) -> np.ndarray:
    """Convolve an image, in groups."""
    x, w = operands
    s, groups = layer.shape, layer.shape["groups"]
    depth, taps = s["channels"] // groups, s["kernel_h"] * s["kernel_w"]
    if layer.kernel == "ms_conv2d_packed":
        w = _expand(layer, taps * depth)
    elif layer.kernel == "ms_depthwise":
        w = w.reshape(taps, s["channels"]).T
    seen = _patches(x, s, s["channels"], s["pad_value"]).reshape(s["out_height"], s["out_width"], taps, groups, depth)
    weights = w.reshape(groups, s["filters"] // groups, taps, depth)
    return finish(
        layer,
        np.einsum("hwtgd,gftd->hwgf", seen, weights).reshape(s["out_height"], s["out_width"], -1),
        np.arange(s["filters"]),
    )


def im2col(layer: KernelCall, operands: list[np.ndarray], held: np.ndarray) -> np.ndarray:
    """Copy what each position of a window sees."""
    s = layer.shape
    return _patches(operands[0], s, s["channels"], s["pad_value"])


def pool(layer: KernelCall, operands: list[np.ndarray], held: np.ndarray) -> np.ndarray:
    """Take the maximum, the sum or the bitwise or of each window."""
    s = layer.shape
    images = operands[0][: s["outer"] * s["height"] * s["width"] * s["inner"]].reshape(s["outer"], -1)
    if layer.kernel == "ms_or_pool":
        return np.stack([np.bitwise_or.reduce(_patches(i, s, s["inner"], 0), axis=(2, 3)) for i in images])
    if layer.kernel == "ms_max_pool":
        return np.stack([_patches(i, s, s["inner"], -(2**62)).max(axis=(2, 3)) for i in images])
    sums = np.stack([_patches(i, s, s["inner"], 0).sum(axis=(2, 3)) for i in images])
    return finish(layer, sums, np.zeros(1, np.int64))
