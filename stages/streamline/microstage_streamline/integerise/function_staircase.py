"""Find the staircase that a function of integers is: thresholds, or lines where FINN-ONNX cannot hold these."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from microstage.errors import ModelError
from microstage.integer.lines import fit_line
from microstage.integer.tensor import narrowed
from microstage_streamline.integerise.channel_axis import axis_of
from microstage_streamline.integerise.functions import Function
from microstage_streamline.integerise.staircases import ChannelLines, Staircase, channel_thresholds
from microstage_streamline.integerise.steps import first_reached
from microstage_streamline.integerise.thresholds import Thresholds, chain_function, search

__all__ = ["evaluated", "staircase_of"]

_MOST_LEVELS, _MOST_THRESHOLDS, _MOST_SEARCHED = 1 << 16, 1 << 22, 1 << 25
_MANY = 1 << 12  # levels that are searched some at a time
_FLOAT32 = 1 << 24  # the largest threshold that FINN's containers hold

Levels = Callable[[np.ndarray], np.ndarray]


def staircase_of(function: Function, constants: Mapping[str, Any]) -> Staircase:
    """Return thresholds of `function`, or its lines where FINN-ONNX cannot hold these.

    `ModelError` where it is no staircase that goes one way, or too large.
    """
    evaluate, low, high, axis = evaluated(function, constants)
    ends = evaluate(np.stack([low, high]))
    levels = int(ends.max() - ends.min())
    if levels > _MOST_LEVELS or levels * len(low) > _MOST_SEARCHED:
        raise ModelError(f"would need {levels} thresholds in each of {len(low)} channels; quantise to fewer bits")
    many = levels > _MANY and max(np.abs(low).max(), np.abs(high).max()) > _FLOAT32
    few = levels * len(low) <= _MOST_THRESHOLDS
    found = search(evaluate, low, high) if few and not many else None
    if found is None or np.abs(found.table).max() > _FLOAT32:
        lines = _lines(evaluate, found, low, high, axis)
        if lines is not None:
            return lines
        found = found or (search(evaluate, low, high) if few else None)
    if found is None:
        raise ModelError(
            f"would need {levels} thresholds in each of {len(low)} channels, which are no line; quantise to fewer bits"
        )
    return channel_thresholds(found.table, found.low, axis, function.start.range.low.ndim, found.flipped)


def evaluated(function: Function, constants: Mapping[str, Any]) -> tuple[Levels, np.ndarray, np.ndarray, int]:
    """Return (function from accumulators [k, channels] to levels, least accumulator [channels], greatest, axis of
    channels).
    """
    start, scale = function.start, getattr(function.start.example, "scale", None)
    rank, source = start.range.low.ndim, function.source(constants)
    if rank < 2:
        raise ModelError(f"reads {start.name}, which has no batch; keep its first axis")
    axis = axis_of(function, rank, constants)
    others = tuple(a for a in range(rank) if a != axis)
    low, high = start.range.low.min(axis=others), start.range.high.max(axis=others)
    if axis is None:
        axis, low, high = 1, low.reshape(1), high.reshape(1)
    nodes = [node.proto() for node in function.nodes]
    return chain_function(nodes, source, _scale(scale), constants, rank, axis), low, high, axis


def _lines(
    evaluate: Levels, found: Thresholds | None, low: np.ndarray, high: np.ndarray, axis: int
) -> ChannelLines | None:
    """Return the lines of a staircase, with negative multipliers where it falls; `found`: its thresholds, if known.

    None where it is no line, or where FINN-ONNX holds its thresholds.
    """
    ends = evaluate(np.stack([low, high]))
    sign, bottom, top = np.where(ends[1] < ends[0], -1, 1), int(ends.min()), int(ends.max())
    first, last = np.where(sign < 0, -high, low), np.where(sign < 0, -low, high)
    if found is not None:
        table = found.table
    else:
        table = first_reached(lambda x: evaluate(x * sign), np.arange(bottom + 1, top + 1), first, last)
    if table.size <= _MOST_THRESHOLDS and np.abs(table).max() <= _FLOAT32:
        return None
    whole = _line_from(bottom, table, first, last, sign, axis)
    if whole or not bottom < 0 < top or top - bottom <= _MANY:
        return whole
    below = _line_from(bottom, table[:, :-bottom], first, last, sign, axis)
    above = _line_from(0, table[:, -bottom:], first, last, sign, axis)
    return replace(above, rest=below) if below and above else None


def _line_from(
    bottom: int, table: np.ndarray, low: np.ndarray, high: np.ndarray, sign: np.ndarray, axis: int
) -> ChannelLines | None:
    """Return the line from level `bottom` on, of which `table` has the thresholds; None where it is none."""
    line = fit_line(table, bottom, low, high)
    if line is None:
        return None
    line = replace(line, multiplier=line.multiplier * sign)
    return ChannelLines(line, bottom, bottom + table.shape[1], axis)


def _scale(scale: Any) -> Any:
    if scale is None:
        return None
    scale = narrowed(np.asarray(scale, np.float64))
    return scale if scale.size > 1 else scale.reshape(())
