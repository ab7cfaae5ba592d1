"""Compute the kernels for small machines: bytes as they lie, borders made where they are read."""

from __future__ import annotations

import numpy as np

from microstage_cbackend.program.ir import KernelCall
from microstage_cbackend.program.meaning.stage import finish

__all__ = ["conv", "depthwise"]


def _patches(x: np.ndarray, s: dict) -> np.ndarray:
    """Return what each position sees: [out_height, out_width, planes, kernel_h, kernel_w, channels]."""
    size = s["planes"], s["height"], s["width"], s["channels"]
    image = x[: int(np.prod(size))].reshape(size) + s["flip"]
    rows, columns = (
        np.arange(s[f"out_{side}"])[:, None] * s[f"stride_{axis}"]
        + np.arange(s[f"kernel_{axis}"]) * s[f"dilation_{axis}"]
        - s[pad]
        for side, axis, pad in (("height", "h", "pad_top"), ("width", "w", "pad_left"))
    )
    inside = ((rows >= 0) & (rows < s["height"]))[:, None, :, None] & ((columns >= 0) & (columns < s["width"]))[
        None, :, None, :
    ]
    at = np.clip(rows, 0, s["height"] - 1)[:, None, :, None], np.clip(columns, 0, s["width"] - 1)[None, :, None, :]
    seen = np.where(inside[..., None], image[:, at[0], at[1]], s["pad_value"])
    return np.moveaxis(seen, 0, 2)


def conv(layer: KernelCall, operands: list[np.ndarray], held: np.ndarray) -> np.ndarray:
    """Convolve bytes."""
    s = layer.shape
    seen = _patches(operands[0], s).reshape(s["out_height"], s["out_width"], -1)
    return finish(layer, seen @ operands[1].reshape(s["filters"], -1).T, np.arange(s["filters"]))


def depthwise(layer: KernelCall, operands: list[np.ndarray], held: np.ndarray) -> np.ndarray:
    """Convolve bytes channel by channel."""
    s = layer.shape
    seen = _patches(operands[0], s).reshape(s["out_height"], s["out_width"], -1, s["channels"])
    return finish(layer, (seen * operands[1].reshape(s["channels"], -1).T).sum(axis=2), np.arange(s["channels"]))
