"""Compute layers that work value by value: pairs, stages, tables, softmax, places of the largest."""

from __future__ import annotations

from math import prod

import numpy as np

from microstage.integer import gemmlowp
from microstage_cbackend.program.ir import KernelCall
from microstage_cbackend.program.meaning.stage import finish
from microstage_cbackend.program.places import walk

__all__ = ["pair", "softmax", "stage", "table", "take", "top"]


def pair(layer: KernelCall, operands: list[np.ndarray], held: np.ndarray) -> np.ndarray:
    """Add or multiply two tensors element by element, or add multiples of them."""
    s = layer.shape
    x, w = operands[0][walk(s, "x_step")], operands[1][walk(s, "w_step")]
    if layer.kernel == "ms_mul":
        return x * w
    if layer.kernel == "ms_add":
        return x + w
    return finish(layer, x * s["x_multiplier"] + w * s["w_multiplier"], np.zeros(1, np.int64))


def stage(layer: KernelCall, operands: list[np.ndarray], held: np.ndarray) -> np.ndarray:
    """Make levels of each value."""
    s = layer.shape
    x = operands[0][: prod(s.values())].reshape(s["outer"], s["channels"], s["inner"])
    return finish(layer, x, np.arange(s["channels"])[:, None])


def table(layer: KernelCall, operands: list[np.ndarray], held: np.ndarray) -> np.ndarray:
    """Look each value up."""
    return operands[1][operands[0][: layer.shape["count"]] - layer.shape["low"]]


def softmax(layer: KernelCall, operands: list[np.ndarray], held: np.ndarray) -> np.ndarray:
    """Compute fractions as TensorFlow Lite Micro's softmax does."""
    s = layer.shape
    x = operands[0][: s["outer"] * s["depth"]].reshape(s["outer"], s["depth"])
    difference = x.max(1, keepdims=True) - x
    exponentials = np.append(operands[1], 0)[np.minimum(difference, s["count"])]
    total = gemmlowp.divided(exponentials, 12).sum(1, keepdims=True)
    headroom = 32 - np.frexp(total)[1].astype(np.int64)
    scale = gemmlowp.one_over_one_plus((total << headroom) - (1 << 31))
    low = -(1 << (s["bits"] - 1))
    return np.clip(
        gemmlowp.divided(gemmlowp.high_product(scale, exponentials), 43 - headroom - s["bits"]) + low, low, -low - 1
    )


def top(layer: KernelCall, operands: list[np.ndarray], held: np.ndarray) -> np.ndarray:
    """Return the places of the largest values, in the order of their size."""
    s = layer.shape
    x = operands[0][: s["outer"] * s["count"] * s["inner"]].reshape(s["outer"], s["count"], s["inner"])
    if s["last"]:
        return s["count"] - 1 - np.argsort(-x[:, ::-1], axis=1, kind="stable")[:, : s["keep"]]
    return np.argsort(-x, axis=1, kind="stable")[:, : s["keep"]]


def take(layer: KernelCall, operands: list[np.ndarray], held: np.ndarray) -> np.ndarray:
    """Return the values at given places."""
    s = layer.shape
    x = operands[0][: s["outer"] * s["count"] * s["inner"]].reshape(s["outer"], s["count"], s["inner"])
    at = operands[1][: s["outer"] * s["keep"] * s["inner"]].reshape(s["outer"], s["keep"], s["inner"])
    return np.take_along_axis(x, at, 1)
