"""Prove a stage equal to a line of eight bytes a channel, at every sum that can reach it.

Both are staircases that never fall. They are equal where each step of the stage is a step of the line: the line
reaches level k at the sum t at which the stage does, and not at t - 1. For a given offset, shift and bias each of these
says of a channel's multiplier that it is not below, or not above, a quotient; where that leaves room for all channels,
there is a line.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from microstage.requantise import MultiplyAddShift
from microstage_cbackend.kernels.small.pairs import largest_sum
from microstage_cbackend.program.ir import KernelCall
from microstage_cbackend.program.small_line import SHIFTS, SmallLine

__all__ = ["FittedLine", "fit_line"]

_WIDE = 2**23
"Sums, with their bias, stay below where two of them share a register."
_ZEROS = (0, 128)
_LARGEST = 2**31 - 1
_NEAR, _FAR = 6, tuple(2**n for n in range(6, 14))
"How many offsets within the levels are tried, and how many levels below them others."


class FittedLine(NamedTuple):
    """Hold the line, and how many steps of the stage it was compared at."""

    form: SmallLine
    compared: int


class _Steps(NamedTuple):
    """Hold sums and levels [channels, points]: at `up` the line has reached them, at `down` not; `used` of them."""

    up: np.ndarray
    reached: np.ndarray
    up_used: np.ndarray
    down: np.ndarray
    missed: np.ndarray
    down_used: np.ndarray


def fit_line(layer: KernelCall, stage: MultiplyAddShift, flip: int) -> FittedLine | None:
    """Return the line that equals the `stage` of `layer`; None where none was found. `flip`: 128 is added to levels."""
    channels = layer.shape["filters"]
    rows = np.zeros(channels, np.int64) if stage.rows == 1 else np.arange(channels)
    stage = stage.of_rows(rows)
    low, high = (np.broadcast_to(end, channels) for end in layer.reach)
    if np.any(stage.multiplier < 0):
        return None
    steps = _steps(stage, low, high, flip)
    slope, start = _middle(steps)
    most = np.full(channels, _most(layer))
    bounds = layer.partial[0] + most, most - layer.partial[1]
    for shift in SHIFTS:
        if np.any(slope * 2.0 ** (32 + shift) > _LARGEST):
            continue
        for offset in _offsets(slope, start, steps, shift):
            found = _solve(steps, slope, start, offset, shift, bounds)
            if found is not None:
                line = SmallLine(*found, offset, shift, stage.low + flip, stage.high + flip, flip)
                return FittedLine(line, _compared(line, stage, steps, low, high))
    return None


def _most(layer: KernelCall) -> int:
    """Return how large a sum with its bias may be where the kernel adds."""
    if layer.kernel == "ms_small_conv":
        return largest_sum(layer.shape)
    return _WIDE - 1 if max(map(abs, layer.partial)) < _WIDE else 2**31 - 1


def _steps(stage: MultiplyAddShift, low: np.ndarray, high: np.ndarray, flip: int) -> _Steps:
    """Return all steps of the `stage` over low..high, and where it must not have clipped, at both ends."""
    channel = np.arange(len(low))
    first, last = stage.apply(low, channel), stage.apply(high, channel)
    count = int((last - first).max(initial=0))
    level = first[:, None] + np.arange(1, count + 1)
    used = level <= last[:, None]
    at = _least(stage, np.where(used, level, last[:, None]), low, high)
    return _Steps(
        np.hstack([at, low[:, None]]),
        np.hstack([level, first[:, None]]) + flip,
        np.hstack([used, (first > stage.low)[:, None]]),
        np.hstack([at - 1, high[:, None]]),
        np.hstack([level, last[:, None] + 1]) + flip,
        np.hstack([used, (last < stage.high)[:, None]]),
    )


def _middle(steps: _Steps) -> tuple[np.ndarray, np.ndarray]:
    """Return slope and level at sum 0 of the straight line in the middle of each channel's steps.

    A channel of at most one step has a gentle one, through that step or through its only level.
    """
    used, low, high = steps.up_used[:, :-1], steps.up[:, -1], steps.down[:, -1]
    count = np.maximum(used.sum(axis=1), 1)
    at, level = (np.where(used, v[:, :-1], 0) for v in (steps.up, steps.reached))
    middle, mean = at.sum(axis=1) / count - 0.5, level.sum(axis=1) / count
    square = np.where(used, (level - mean[:, None]) ** 2, 0).sum(axis=1)
    cross = np.where(used, (level - mean[:, None]) * (at - 0.5 - middle[:, None]), 0).sum(axis=1)
    some, many = used.any(axis=1), cross > 0
    slope = np.where(many, square / np.where(many, cross, 1), 0.5 / np.maximum(high - low, 32))
    middle, mean = np.where(some, middle, (low + high) / 2), np.where(some, mean, steps.reached[:, -1] + 0.5)
    return slope, mean - slope * middle


def _least(stage: MultiplyAddShift, level: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Return the least sum of low..high at which each channel reaches `level` [channels, levels]."""
    channel = np.broadcast_to(np.arange(len(low))[:, None], level.shape)
    first, last = np.broadcast_to(low[:, None], level.shape), np.broadcast_to(high[:, None], level.shape)
    while np.any(first < last):
        middle = (first + last) >> 1
        reached = stage.apply(middle, channel) >= level
        first, last = np.where(reached, first, middle + 1), np.where(reached, middle, last)
    return first


def _offsets(slope: np.ndarray, start: np.ndarray, steps: _Steps, shift: int) -> Iterator[int]:
    """Return offsets to try: of the usual zero points, those at which biases are nearest to integers, then far ones.

    Far from the levels, a little more of the multiplier moves a channel's steps without changing their distances.
    """
    yield from ((1 << shift >> 1) + (zero << shift) for zero in _ZEROS)
    rows = steps.up_used[:, :-1].sum(axis=1) > 1
    halves = np.arange(2 * 256)[:, None] / 2
    bias = (start[rows] - halves) / slope[rows]
    distance = np.abs(bias - np.rint(bias)).max(axis=1, initial=0)
    for half in np.argsort(distance, kind="stable")[:_NEAR]:
        yield int(half) << shift >> 1
    for levels in _FAR:
        yield -levels << shift


def _solve(
    steps: _Steps, slope: np.ndarray, start: np.ndarray, offset: int, shift: int, bounds: tuple[np.ndarray, np.ndarray]
) -> tuple[np.ndarray, np.ndarray] | None:
    """Return bias and multiplier of each channel that keep all `steps`, or None; biases lie within -bounds..bounds."""
    ideal = np.rint(np.clip((start - offset / 2.0**shift) / slope, -(2.0**31), 2.0**31)).astype(np.int64)
    wanted = np.rint(np.minimum(slope * 2.0 ** (32 + shift), _LARGEST)).astype(np.int64)
    bias, multiplier = np.zeros_like(ideal), np.full_like(ideal, -1)
    for by in (0, 1, -1):
        tried = np.clip(ideal + by, -bounds[0], bounds[1])
        least, most = _room(steps, tried, offset, shift)
        better = (multiplier < 0) & (least <= most)
        bias = np.where(better, tried, bias)
        multiplier = np.where(better, np.clip(wanted, least, most), multiplier)
    return None if np.any(multiplier < 0) else (bias, multiplier)


def _room(steps: _Steps, bias: np.ndarray, offset: int, shift: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the least and the largest multiplier of each channel that keep all `steps`."""
    ends = [
        _bounds(steps.up + bias[:, None], ((steps.reached << shift) - offset) << 32, steps.up_used, True),
        _bounds(steps.down + bias[:, None], (((steps.missed << shift) - offset) << 32) - 1, steps.down_used, False),
    ]
    return np.maximum(ends[0][0], ends[1][0]), np.minimum(ends[0][1], ends[1][1])


def _bounds(at: np.ndarray, value: np.ndarray, used: np.ndarray, above: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return the least and largest multiplier with which at * multiplier is not below `value`, else not above it."""
    some = np.where(at == 0, 1, at)
    down, up = value // some, -(-value // some)
    from_below = used & ((at > 0) == above) & (at != 0)
    from_above = used & ((at < 0) == above) & (at != 0)
    never = (used & (at == 0) & ((value > 0) if above else (value < 0))).any(axis=1)
    least = np.where(from_below, up, 0).max(axis=1, initial=0)
    most = np.where(from_above, down, _LARGEST).min(axis=1, initial=_LARGEST)
    return np.where(never, 1, least), np.where(never, 0, most)


def _compared(line: SmallLine, stage: MultiplyAddShift, steps: _Steps, low: np.ndarray, high: np.ndarray) -> int:
    """Count the sums around all steps at which `line` gives what `stage` gives: all, or this generator is wrong."""
    channel = np.broadcast_to(np.arange(len(low))[:, None], steps.up.shape)
    for sums in (steps.up, np.clip(steps.down, low[:, None], high[:, None])):
        assert np.array_equal(line.apply(sums, channel), stage.apply(sums, channel)), "the line differs"
    return int(steps.up_used.sum())
