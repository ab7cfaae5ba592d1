"""Know a stage by its steps: where it reaches each level, and how far a line may be turned that keeps them.

KeptSteps      sums and levels of all channels: what a line must have reached, and what it must not
steps_of   those of a stage
middle     slope and level at sum 0 of the straight line in the middle of the steps
room       the least and the largest multiplier of a line through a given bias, and on which side more room is
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from microstage.requantise import MultiplyAddShift

__all__ = ["LARGEST", "Room", "KeptSteps", "middle", "room", "steps_of"]

LARGEST = 2**31 - 1
"The largest multiplier."


class KeptSteps(NamedTuple):
    """Hold sums and levels [channels, points]: at `up` the line has reached them, at `down` not; `used` of them."""

    up: np.ndarray
    reached: np.ndarray
    up_used: np.ndarray
    down: np.ndarray
    missed: np.ndarray
    down_used: np.ndarray

    def of(self, channels: np.ndarray) -> KeptSteps:
        """Return the same of these channels."""
        return KeptSteps(*(values[channels] for values in self))


def steps_of(stage: MultiplyAddShift, low: np.ndarray, high: np.ndarray, flip: int) -> KeptSteps:
    """Return all steps of the `stage` over low..high, and where it must not have clipped, at both ends."""
    channel = np.arange(len(low))
    first, last = stage.apply(low, channel), stage.apply(high, channel)
    count = int((last - first).max(initial=0))
    level = first[:, None] + np.arange(1, count + 1)
    used = level <= last[:, None]
    at = _least(stage, np.where(used, level, last[:, None]), low, high)
    return KeptSteps(
        np.hstack([at, low[:, None]]),
        np.hstack([level, first[:, None]]) + flip,
        np.hstack([used, (first > stage.low)[:, None]]),
        np.hstack([at - 1, high[:, None]]),
        np.hstack([level, last[:, None] + 1]) + flip,
        np.hstack([used, (last < stage.high)[:, None]]),
    )


def _least(stage: MultiplyAddShift, level: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Return the least sum of low..high at which each channel reaches `level` [channels, levels]."""
    channel = np.broadcast_to(np.arange(len(low))[:, None], level.shape)
    first, last = np.broadcast_to(low[:, None], level.shape), np.broadcast_to(high[:, None], level.shape)
    while np.any(first < last):
        middle = (first + last) >> 1
        reached = stage.apply(middle, channel) >= level
        first, last = np.where(reached, first, middle + 1), np.where(reached, middle, last)
    return first


def middle(steps: KeptSteps) -> tuple[np.ndarray, np.ndarray]:
    """Return slope and level at sum 0 of the straight line in the middle of each channel's steps.

    A channel of at most one step has a gentle one, through that step or through its only level.
    """
    used, low, high = steps.up_used[:, :-1], steps.up[:, -1], steps.down[:, -1]
    count = np.maximum(used.sum(axis=1), 1)
    at, level = (np.where(used, v[:, :-1], 0) for v in (steps.up, steps.reached))
    center, mean = at.sum(axis=1) / count - 0.5, level.sum(axis=1) / count
    square = np.where(used, (level - mean[:, None]) ** 2, 0).sum(axis=1)
    cross = np.where(used, (level - mean[:, None]) * (at - 0.5 - center[:, None]), 0).sum(axis=1)
    some, many = used.any(axis=1), cross > 0
    slope = np.where(many, square / np.where(many, cross, 1), 0.5 / np.maximum(high - low, 32))
    center, mean = np.where(some, center, (low + high) / 2), np.where(some, mean, steps.reached[:, -1] + 0.5)
    return slope, mean - slope * center


class Room(NamedTuple):
    """Hold the least and the largest multiplier [channels], and whether a larger bias leaves more room for one."""

    least: np.ndarray
    most: np.ndarray
    raises: np.ndarray


def room(steps: KeptSteps, at: tuple[np.ndarray, np.ndarray], value: tuple[np.ndarray, np.ndarray], ends: Room) -> Room:
    """Return the multipliers within `ends` for which at[0] * multiplier reaches value[0] << 32 at `up`, and
    at[1] * multiplier does not reach value[1] << 32 at `down`.

    The line turns about the place where `at` is 0. Two points between which it does not pass are nearer to each other
    as seen from a place that lies farther from the one that wants it steeper.
    """
    above = _bounds(at[0], value[0] << 32, steps.up_used, ends, above=True)
    below = _bounds(at[1], (value[1] << 32) - 1, steps.down_used, ends, above=False)
    least, most = (np.hstack(pair) for pair in zip(above, below, strict=True))
    inverse = np.hstack([np.where(v == 0, np.inf, 1 / np.where(v == 0, 1, v)) for v in at])
    row, steep, flat = np.arange(len(least)), least.argmax(axis=1), most.argmin(axis=1)
    least, most = least[row, steep], most[row, flat]
    held = np.where(most < ends.most, inverse[row, flat], 0), np.where(least > ends.least, inverse[row, steep], 0)
    return Room(least, most, held[0] < held[1])


def _bounds(
    at: np.ndarray, value: np.ndarray, used: np.ndarray, ends: Room, *, above: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Return the least and largest multiplier at each point with which at * multiplier is not below `value`, else not
    above it.
    """
    some = np.where(at == 0, 1, at)
    down, up = value // some, -(-value // some)
    never = used & (at == 0) & ((value > 0) if above else (value < 0))
    least = np.where(used & ((at > 0) == above) & (at != 0), np.maximum(up, ends.least[:, None]), ends.least[:, None])
    most = np.where(used & ((at < 0) == above) & (at != 0), np.minimum(down, ends.most[:, None]), ends.most[:, None])
    return np.where(never & above, LARGEST + 1, least), np.where(never & (not above), -1, most)
