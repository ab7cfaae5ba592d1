"""Write functions of an accumulator that rise and fall: thresholds of what rises, less those of what falls.

f(x) = f(least x) + (steps up until x) - (steps down until x), over every integer of the accumulator's range.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from microstage_streamline.graph.graph import Node
from microstage_streamline.integerise.emit_staircase import emit_thresholds
from microstage_streamline.integerise.emitter import Emitter
from microstage_streamline.integerise.function_staircase import Levels, evaluated
from microstage_streamline.integerise.functions import Function
from microstage_streamline.integerise.integers import Integers, NotInteger
from microstage_streamline.integerise.rescaled_sum import RescaledSum
from microstage_streamline.integerise.staircases import ChannelThresholds, TurningSteps, channel_thresholds

__all__ = ["emit_turning", "emit_turning_steps"]

_MOST_EVALUATED, _AT_ONCE = 1 << 26, 1 << 20
_MOST_STEPS = 1 << 22
Rows = list[np.ndarray]


def emit_turning(emitter: Emitter, name: str, function: Function) -> Integers:
    """Append tensor `name`, a function that is looked at at every integer; `NotInteger` where these are too many."""
    evaluate, low, high, axis = evaluated(function, emitter.constants)
    if int((high - low + 1).sum()) > _MOST_EVALUATED:
        reads = f"{int((high - low).max()) + 1} values in each of {len(low)} channels"
        ops = ", ".join(dict.fromkeys(node.op for node in function.nodes))
        raise NotInteger(
            f"turns round ({ops}) and reads {reads}, too many to look at each; put a quantiser in front of it"
        )
    return emit_turning_steps(emitter, name, function, function.start, _steps(evaluate, low, high, axis))


def emit_turning_steps(
    emitter: Emitter, name: str, function: Function | RescaledSum, start: Integers, steps: TurningSteps
) -> Integers:
    """Append rising thresholds less falling ones, held to the ends that the sum reaches."""
    if sum(map(len, [*steps.rising, *steps.falling])) > _MOST_STEPS:
        raise NotInteger("would need too many thresholds; quantise to fewer bits")
    rank, axis, layer = start.range.low.ndim, steps.axis, function.nodes[-1].layer
    base, rising = _from_least_level(steps, start)
    highest = _along(start.range.high, axis, len(steps.first), np.max)
    if not any(map(len, steps.falling)):
        only = channel_thresholds(_table(rising, highest), base, axis, rank)
        return emit_thresholds(emitter, name, only, start, function)

    def piece(side: str, rows: Rows, low: int) -> Integers:
        found = channel_thresholds(_table(rows, highest), low, axis, rank)
        return replace(emit_thresholds(emitter, f"{name}.{side}", found, start, function), shared=False)

    up, down = piece("rising", rising, base), piece("falling", steps.falling, 0)
    minus = emitter.store(f"{name}.minus", np.full((1,) * rank, -1))
    less = emitter.emit(Node("Mul", [down.name, minus], [f"{name}.fallen"], {}, layer), None, down)
    total = emitter.emit(Node("Add", [up.name, less.name], [f"{name}.difference"], {}, layer), None, up, less)
    return emit_thresholds(emitter, name, _held(steps.ends, axis, rank), total, function)


def _from_least_level(steps: TurningSteps, start: Integers) -> tuple[int, Rows]:
    """Return (the least first level of all channels, rising steps from it on): a channel takes those up to its own
    first level at its least integer.
    """
    base = int(steps.first.min())
    least = _along(start.range.low, steps.axis, len(steps.first), np.min)
    below = [np.full(int(level - base), low) for level, low in zip(steps.first, least)]
    return base, [np.concatenate([lower, row]) for lower, row in zip(below, steps.rising)]


def _held(ends: tuple[int, int], axis: int, rank: int) -> ChannelThresholds:
    """Return thresholds that leave whole numbers as they are, within `ends`."""
    return channel_thresholds(np.arange(ends[0] + 1, max(ends[1], ends[0] + 1) + 1)[None], ends[0], axis, rank)


def _table(rows: Rows, highest: np.ndarray) -> np.ndarray:
    """Return rows of one length [channels, levels - 1]: what a channel lacks is out of its reach."""
    width = max(1, *map(len, rows))
    filled = [np.append(row, np.full(width - len(row), top + 1)) for row, top in zip(rows, highest)]
    return np.stack(filled).astype(np.int64)


def _along(values: np.ndarray, axis: int, count: int, pick: Callable) -> np.ndarray:
    """Return the least or the greatest of the values of each channel, or of all of them for a `count` of 1."""
    if count == 1:
        return pick(values).reshape(1)
    return pick(values, axis=tuple(a for a in range(values.ndim) if a != axis))


def _steps(evaluate: Levels, low: np.ndarray, high: np.ndarray, axis: int) -> TurningSteps:
    """Look at every integer of each channel's range low..high [channels], some at a time."""
    rows, ends, channels = max(1, _AT_ONCE // len(low)), [], len(low)
    last = first = evaluate(low[None])[0]
    up: list[Rows] = [[] for _ in range(channels)]
    down: list[Rows] = [[] for _ in range(channels)]
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
    return TurningSteps(first, _joined(up), _joined(down), (int(min(ends)), int(max(ends))), axis)


def _joined(parts: list[Rows]) -> Rows:
    return [np.concatenate([*of_channel, np.zeros(0, np.int64)]).astype(np.int64) for of_channel in parts]
