"""Compute layers that copy: along loops, from places, into a border."""

from __future__ import annotations

import numpy as np

from microstage_cbackend.program.ir import KernelCall
from microstage_cbackend.program.places import walk

__all__ = ["copy", "frame_u8", "gather", "pad_u8"]


def copy(layer: KernelCall, operands: list[np.ndarray], held: np.ndarray) -> None:
    """Copy along four nested loops, from places to places."""
    s = layer.shape
    held[s["y_start"] + walk(s, "y_step")] = operands[0][s["x_start"] + walk(s, "x_step")]


def gather(layer: KernelCall, operands: list[np.ndarray], held: np.ndarray) -> np.ndarray:
    """Copy from a list of places."""
    return operands[0][operands[1]]


def pad_u8(layer: KernelCall, operands: list[np.ndarray], held: np.ndarray) -> np.ndarray:
    """Copy an image into the middle of a border of one value, its top bits flipped where that is asked."""
    s = layer.shape
    steps = ((s["height"], s["x_row"]), (s["width"], s["x_column"]), (s["channels"], s["x_channel"]))
    image = (
        operands[0][sum(np.arange(n).reshape([-1] + [1] * (2 - a)) * d for a, (n, d) in enumerate(steps))] + s["flip"]
    )
    return np.pad(image, ((s["top"], s["bottom"]), (s["left"], s["right"]), (0, 0)), constant_values=s["value"])


def frame_u8(layer: KernelCall, operands: list[np.ndarray], held: np.ndarray) -> None:
    """Write a border of one value around an image."""
    s = layer.shape
    inside = np.zeros((s["height"], s["width"], s["channels"]), bool)
    around = np.pad(inside, ((s["top"], s["bottom"]), (s["left"], s["right"]), (0, 0)), constant_values=True)
    held[np.flatnonzero(around)] = s["value"]
