"""Find the pixels that an image resized to the nearest is made of: ONNX's Resize since opset 10, and Upsample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from microstage.errors import ModelError

__all__ = ["nearest_places", "output_sizes"]

_ROUNDINGS = {
    "round_prefer_floor": lambda x: np.ceil(x - np.float32(0.5)),
    "round_prefer_ceil": lambda x: np.floor(x + np.float32(0.5)),
    "floor": np.floor,
    "ceil": np.ceil,
}


def _text(flags: Mapping[str, Any], name: str, usual: str) -> str:
    value = flags.get(name, usual)
    return value.decode() if isinstance(value, bytes) else value


def output_sizes(
    shape: Sequence[int], scales: np.ndarray | None, sizes: np.ndarray | None, flags: Mapping[str, Any]
) -> tuple[list[np.float32], list[int]]:
    """Return (scale, size) of every axis."""
    axes = [axis % len(shape) for axis in flags.get("axes", range(len(shape)))]
    factors, wanted = [np.float32(1)] * len(shape), list(shape)
    policy = _text(flags, "keep_aspect_ratio_policy", "stretch")
    if sizes is not None and sizes.size:
        ratios = [np.float32(size) / np.float32(shape[axis]) for axis, size in zip(axes, sizes)]
        if policy != "stretch":
            ratios = [min(ratios) if policy == "not_larger" else max(ratios)] * len(axes)
            sizes = [int(np.rint(ratio * shape[axis])) for axis, ratio in zip(axes, ratios)]
        for axis, ratio, size in zip(axes, ratios, sizes):
            factors[axis], wanted[axis] = ratio, int(size)
    elif scales is not None and scales.size:
        for axis, scale in zip(axes, scales):
            factors[axis], wanted[axis] = np.float32(scale), int(np.floor(np.float32(scale) * np.float32(shape[axis])))
    else:
        raise ModelError("it has neither scales nor sizes")
    return factors, wanted


def nearest_places(size: int, wanted: int, scale: np.float32, flags: Mapping[str, Any], old: bool) -> np.ndarray:
    """Return [wanted] places 0..size - 1, in the float32 that executors take them in; `old`: as it was before
    opset 11.
    """
    x = np.arange(wanted, dtype=np.float32)
    if old:
        found = np.ceil(x / scale) if scale < 1 else np.floor(x / scale)
        return np.clip(found, 0, size - 1).astype(np.int64)
    form = _text(flags, "coordinate_transformation_mode", "half_pixel")
    half = np.float32(0.5)
    places = {
        "asymmetric": lambda: x / scale,
        "half_pixel": lambda: (x + half) / scale - half,
        "pytorch_half_pixel": lambda: (x + half) / scale - half if wanted > 1 else x * 0,
        "align_corners": lambda: x * np.float32(size - 1) / np.float32(wanted - 1) if wanted > 1 else x * 0,
        "tf_half_pixel_for_nn": lambda: (x + half) / scale,
        "half_pixel_symmetric": lambda: _symmetric(x, size, wanted, scale),
    }
    if form not in places:
        raise ModelError(f"coordinates by {form} are not known")
    rounding = _text(flags, "nearest_mode", "round_prefer_floor")
    if rounding not in _ROUNDINGS:
        raise ModelError(f"nearest_mode {rounding} is not known")
    return np.clip(_ROUNDINGS[rounding](places[form]()), 0, size - 1).astype(np.int64)


def _symmetric(x: np.ndarray, size: int, wanted: int, scale: np.float32) -> np.ndarray:
    offset = np.float32(size) / 2 * (1 - np.float32(wanted) / (scale * np.float32(size)))
    return offset + (x + np.float32(0.5)) / scale - np.float32(0.5)
