"""Compute the fast kernels: bytes by bytes, and signs in words of 64."""

from __future__ import annotations

import numpy as np

from microstage_cbackend.kernels.layouts import sign_words
from microstage_cbackend.program.ir import KernelCall
from microstage_cbackend.program.meaning.stage import finish

__all__ = ["add_u8", "conv_u8", "pack", "taps_u8", "xnor"]


def pack(layer: KernelCall, operands: list[np.ndarray], held: np.ndarray) -> np.ndarray:
    """Pack rows of signs into words of 64."""
    s = layer.shape
    rows = operands[0][: s["rows"] * s["count"]].reshape(s["rows"], s["count"]) > 0
    return sign_words(rows).view(np.int64)


def xnor(layer: KernelCall, operands: list[np.ndarray], held: np.ndarray) -> np.ndarray:
    """Count differing bits of words; give sums of products of signs, or bits where few enough differ."""
    s, filters = layer.shape, layer.shape["filters"]
    x, w = _bits(operands[0].view(np.uint64)), _bits(operands[1].view(np.uint64))
    if not layer.kernel.startswith("ms_small_"):
        w = w.reshape(-1, s["runs_h"] * s["runs_w"] * s["length"], 8, 64).transpose(0, 2, 1, 3)
    seen = _seen(x, s, _patch_offsets(s)).reshape(s["out_height"] * s["out_width"], -1)
    counts = np.stack([(seen != row).sum(axis=1) for row in w.reshape(-1, seen.shape[1])[:filters]], axis=1)
    if layer.kernel.endswith("xnor_bits"):
        return sign_words(counts <= operands[2]).view(np.int64)
    return layer.signs - 2 * counts


def _bits(words: np.ndarray) -> np.ndarray:
    """Return 0 or 1 of each bit, [words, 64]."""
    return (words[:, None] >> np.arange(64, dtype=np.uint64) & np.uint64(1)).astype(np.int8)


def _seen(x: np.ndarray, s: dict, offsets: np.ndarray) -> np.ndarray:
    """Return x at `offsets` from the start of each position, [out_height, out_width, offsets]."""
    starts = np.arange(s["out_height"])[:, None] * s["x_row"] + np.arange(s["out_width"]) * s["x_column"]
    return x[starts[..., None] + offsets]


def _patch_offsets(s: dict) -> np.ndarray:
    rows, columns = np.arange(s["runs_h"]) * s["run_h"], np.arange(s["runs_w"]) * s["run_w"]
    return (rows[:, None, None] + columns[:, None] + np.arange(s["length"])).ravel()


def conv_u8(layer: KernelCall, operands: list[np.ndarray], held: np.ndarray) -> np.ndarray:
    """Convolve bytes, or multiply rows of them, by signed weights."""
    s = layer.shape
    return finish(
        layer,
        _seen(operands[0], s, _patch_offsets(s)) @ operands[1].reshape(s["filters"], -1).T,
        np.arange(s["filters"]),
    )


def _tap_offsets(s: dict) -> np.ndarray:
    return (
        np.arange(s["kernel_h"])[:, None, None] * s["tap_h"]
        + np.arange(s["kernel_w"])[:, None] * s["tap_w"]
        + np.arange(s["channels"])
    )


def taps_u8(layer: KernelCall, operands: list[np.ndarray], held: np.ndarray) -> np.ndarray:
    """Convolve bytes channel by channel, or sum windows of each channel."""
    s = layer.shape
    seen = _seen(operands[0], s, _tap_offsets(s).ravel()).reshape(s["out_height"], s["out_width"], -1, s["channels"])
    if layer.kernel in ("ms_average_u8", "ms_small_average"):
        return finish(layer, seen.sum(axis=2), np.zeros(1, np.int64))
    return finish(layer, (seen * operands[1].reshape(-1, s["channels"])).sum(axis=2), np.arange(s["channels"]))


def add_u8(layer: KernelCall, operands: list[np.ndarray], held: np.ndarray) -> np.ndarray:
    """Add two tensors of bytes in one multiply-add-shift."""
    s = layer.shape
    value = operands[0][: s["count"]] * s["multiplier_a"] + operands[1][: s["count"]] * s["multiplier_b"] + s["offset"]
    level = value >> s["shift"]
    if s["even"]:
        level = level - (((value & ((1 << s["shift"]) - 1)) == 0) & (level ^ s["zero"]) & 1)
    return np.clip(level, s["low"], s["high"]) - s["flip"]
