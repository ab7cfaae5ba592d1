"""Lower operators that make levels of sums: thresholds, lines, tables, softmax."""

from __future__ import annotations

import numpy as np

from microstage.integer import gemmlowp
from microstage.requantise import Search
from microstage_cbackend.program.ir import Tensor
from microstage_cbackend.program.wide import requantisation
from microstage_cbackend.read.node import ReadNode

__all__ = ["multi_threshold", "requantize", "softmax", "table"]


def multi_threshold(node: ReadNode) -> list[Tensor]:
    """Lower y = out_bias + out_scale * number of thresholds reached; the channel axis is that of `data_layout`."""
    x, thresholds = node.x, np.sort(node.constant(1, "thresholds"), axis=-1)
    scale, bias = node.attribute("out_scale", 1.0), node.attribute("out_bias", 0.0)
    if scale != int(scale) or bias != int(bias):
        raise node.refuse(f"scales its output by {scale} and shifts it by {bias}; only integers can stay in the graph.")
    search = Search(thresholds, int(scale), int(bias))
    if max(map(abs, search.ends)) >= 2**31:
        raise node.refuse(
            f"gives values {search.ends[0]}..{search.ends[1]}; the kernel counts in 32 bits, use a smaller scale or "
            "bias."
        )
    axis = _channel_axis(node, x)
    channels = x.shape[axis] if axis < len(x.shape) else 1
    if len(thresholds) not in (1, channels):
        raise node.refuse(
            f"has {len(thresholds)} rows of thresholds for {channels} channels; give one row, or one per channel."
        )
    return [
        node.builder.search(
            node.place, node.operator, node.name, x, _row_of(len(thresholds), axis, len(x.shape)), search
        )
    ]


def requantize(node: ReadNode) -> list[Tensor]:
    """Lower clip((x * multiplier + addend) >> shift, low, high), one row or one for each channel along `axis`."""
    x = node.x
    given = [node.constant(i, what).ravel() for i, what in ((1, "multiplier"), (2, "addend"), (3, "shift"))]
    rows = max(map(len, given))
    multiplier, addend, shift = (np.broadcast_to(constant, rows) for constant in given)
    low, high = node.attribute("low", None), node.attribute("high", None)
    ties, lift, reach = node.attribute("ties", 0), node.attribute("lift", 0), max(abs(x.low), abs(x.high))
    stage = requantisation(multiplier, addend, shift, low, high, ties, lift, reach)
    if stage is None:
        raise node.refuse(f"multiplies {x.low}..{x.high} by {multiplier.max()}, which needs more than 84 bits.")
    axis = node.attribute("axis", 1) % len(x.shape)
    if rows not in (1, x.shape[axis]):
        raise node.refuse(f"has {rows} multipliers for {x.shape[axis]} channels; give one, or one per channel.")
    return [node.builder.line(node.place, node.operator, node.name, x, _row_of(rows, axis, len(x.shape)), stage)]


def table(node: ReadNode) -> list[Tensor]:
    """Lower table[x - low], one row for all."""
    x, rows = node.x, node.constant(1, "table")
    if len(rows) > 1:
        raise node.refuse("has a table for each channel; one for all can be made.")
    return [node.builder.table(node.place, node.operator, node.name, x, rows[0], node.attribute("low", 0))]


def softmax(node: ReadNode) -> list[Tensor]:
    """Lower TensorFlow Lite Micro's softmax over the last axis, with a table of the exponential of every difference."""
    x = node.x
    multiplier, left, least = (node.attribute(n, 0) for n in ("input_multiplier", "input_left_shift", "diff_min"))
    differences = -np.arange(min(x.high - x.low, -least) + 1)
    exponentials = gemmlowp.exp_on_negative(gemmlowp.scaled(differences, multiplier, left))
    return [node.builder.softmax(node.place, node.operator, node.name, x, exponentials, node.attribute("bits", 8))]


def _row_of(rows: int, axis: int, rank: int) -> np.ndarray:
    """Return which row each element takes, to be broadcast to its tensor."""
    return np.zeros(1, np.int64) if rows == 1 else np.arange(rows).reshape([-1] + [1] * (rank - axis - 1))


def _channel_axis(node: ReadNode, x: Tensor) -> int:
    layout = node.attribute("data_layout", "") or {2: "NC", 3: "NWC", 4: "NCHW"}.get(len(x.shape), "")
    return layout.index("C") if "C" in layout else 1
