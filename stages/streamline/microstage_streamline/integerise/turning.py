"""Functions of an accumulator that turn round: what rises of them less what falls, each of which has thresholds.

f(x) = f(least x) + (steps up until x) - (steps down until x), over every integer of the accumulator's range.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from microstage_streamline.graph.graph import Node
from microstage_streamline.integerise.integer_graph import Integers, NotInteger
from microstage_streamline.integerise.monotone import ChannelThresholds, Function, evaluated, found_of

if TYPE_CHECKING:
    from microstage_streamline.integerise.integerise import Integeriser

__all__ = ["in_pieces", "sum_of_pieces"]

_MOST_EVALUATED, _AT_ONCE = 1 << 26, 1 << 20
_MOST_STEPS = 1 << 22
Rows = list[np.ndarray]


def in_pieces(made: Integeriser, name: str, function: Function) -> Integers:
    """Tensor `name`, a function of integers that is looked at everywhere; `NotInteger` where these are too many."""
    evaluate, low, high, axis = evaluated(function, made.constants)
    if int((high - low + 1).sum()) > _MOST_EVALUATED:
        reads = f"{int((high - low).max()) + 1} values in each of {len(low)} channels"
        ops = ", ".join(dict.fromkeys(node.op for node in function.nodes))
        raise NotInteger(
            f"turns round ({ops}) and reads {reads}, too many to look at each; put a quantiser in front of it"
        )
    first, rising, falling, ends = _steps(evaluate, low, high)
    return sum_of_pieces(made, name, function, function.start, (first, rising, falling, ends), axis)


def sum_of_pieces(made: Integeriser, name: str, function, start: Integers, found: tuple, axis: int) -> Integers:
    """Rising thresholds less falling ones, held to the `ends` that the sum reaches."""
    first, rising, falling, ends = found
    if sum(map(len, [*rising, *falling])) > _MOST_STEPS:
        raise NotInteger("would need too many thresholds; quantise to fewer bits")
    rank = start.range.low.ndim
    base = int(first.min())
    lowest = [np.full(int(n - base), row) for n, row in zip(first, _lowest(start, axis, len(first)))]
    rising = [np.concatenate([below, row]) for below, row in zip(lowest, rising)]
    highest = _highest(start, axis, len(first))
    if not any(map(len, falling)):
        return made.threshold(
            name, found_of(_table(rising, highest), base, np.zeros(1, bool), axis, rank), start, function
        )
    up, down = (
        replace(
            made.threshold(f"{name}.{side}", _piece(rows, bottom, highest, axis, rank), start, function), shared=False
        )
        for side, rows, bottom in (("rising", rising, base), ("falling", falling, 0))
    )
    layer = function.nodes[-1].layer
    made.made.constants[f"{name}.minus"] = np.full((1,) * rank, -1)
    less = made.emit(Node("Mul", [down.name, f"{name}.minus"], [f"{name}.fallen"], {}, layer), None, down)
    total = made.emit(Node("Add", [up.name, less.name], [f"{name}.difference"], {}, layer), None, up, less)
    held = np.arange(ends[0] + 1, max(ends[1], ends[0] + 1) + 1)[None]
    return made.threshold(name, found_of(held, ends[0], np.zeros(1, bool), axis, rank), total, function)


def _piece(rows: Rows, low: int, highest: np.ndarray, axis: int, rank: int) -> ChannelThresholds:
    return found_of(_table(rows, highest), low, np.zeros(1, bool), axis, rank)


def _table(rows: Rows, highest: np.ndarray) -> np.ndarray:
    """Rows of one length: what a channel lacks is out of its reach."""
    width = max(1, *map(len, rows))
    return np.stack([np.append(row, np.full(width - len(row), top + 1)) for row, top in zip(rows, highest)]).astype(
        np.int64
    )


def _along(values: np.ndarray, axis: int, count: int, pick: Callable) -> np.ndarray:
    if count == 1:
        return pick(values).reshape(1)
    return pick(values, axis=tuple(a for a in range(values.ndim) if a != axis))


def _lowest(start: Integers, axis: int, count: int) -> np.ndarray:
    return _along(start.range.low, axis, count, np.min)


def _highest(start: Integers, axis: int, count: int) -> np.ndarray:
    return _along(start.range.high, axis, count, np.max)


def _steps(evaluate: Callable[[np.ndarray], np.ndarray], low: np.ndarray, high: np.ndarray):
    """(level at the least accumulator, places of steps up, of steps down, (least level, greatest)) of each channel."""
    rows, ends, channels = max(1, _AT_ONCE // len(low)), [], len(low)
    last = first = evaluate(low[None])[0]
    up, down = [[] for _ in range(channels)], [[] for _ in range(channels)]
    for begin in range(0, int((high - low).max()) + 1, rows):
        x = np.minimum(low + np.arange(begin, begin + rows)[:, None], high)
        levels = evaluate(x)
        steps = np.diff(levels, axis=0, prepend=last[None])
        ends += [levels.min(), levels.max()]
        for channel in np.flatnonzero(steps.any(axis=0)):
            own, at = steps[:, channel], x[:, channel]
            up[channel].append(np.repeat(at, np.maximum(own, 0)))
            down[channel].append(np.repeat(at, np.maximum(-own, 0)))
        last = levels[-1]
    joined = [
        [np.concatenate([*parts, np.zeros(0, np.int64)]).astype(np.int64) for parts in side] for side in (up, down)
    ]
    return first, *joined, (int(min(ends)), int(max(ends)))
