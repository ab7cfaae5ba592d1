"""Prove a stage equal to a line of eight bytes a channel, at every sum that can reach it.

Both are staircases that never fall. They are equal where each step of the stage is a step of the line: the line
reaches level k at the sum t at which the stage does, and not at t - 1. For a given offset, shift and bias each of these
says of a channel's multiplier that it is not below, or not above, a quotient (steps.py); where that leaves room for all
channels, there is a line. Where it leaves none for a bias, it says on which side one may be.

Lines of whole biases cost the least and are tried first; fine ones have biases in parts of a sum, which the stages of
files from elsewhere need; bent ones have a kink, which stages have that round twice and give negative levels.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from microstage.requantise import MultiplyAddShift
from microstage_cbackend.kernels.small.pairs import largest_sum
from microstage_cbackend.passes.small.steps import LARGEST, KeptSteps, Room, middle, room, steps_of
from microstage_cbackend.program.ir import KernelCall
from microstage_cbackend.program.small_line import FINE, FINE_SHIFTS, SHIFTS, SmallLine, kinks

__all__ = ["FittedLine", "fit_line"]

_ZEROS = (0, 128)
_NEAR, _FAR = 6, tuple(2**n for n in range(6, 14))
"How many offsets within the levels are tried, and how many levels below them others."
_FINE_FAR = (0, 100, 900)
"The same of fine lines: the first is nearly always one."
_AROUND = 64
"Sums beside the middle of the steps where biases of fine lines are looked for."


class FittedLine(NamedTuple):
    """Hold the line, and how many steps of the stage it was compared at."""

    form: SmallLine
    compared: int


@dataclass
class _Search:
    """Hold what is known of a stage: its steps, the middle of each channel's, how large its biases may be; the level
    up to which a kink lies, or None.
    """

    steps: KeptSteps
    slope: np.ndarray
    start: np.ndarray
    partial: tuple[int, int]
    most: int
    bent: int | None

    def bounds(self, fine: int) -> tuple[int, int]:
        """Return the least and the largest bias with which no sum leaves what the kernel holds."""
        most = LARGEST if fine else self.most
        return (-self.partial[0] << fine) - most, most - (self.partial[1] << fine)


def fit_line(layer: KernelCall, stage: MultiplyAddShift, flip: int) -> FittedLine | None:
    """Return the line that equals the `stage` of `layer`; None where none was found. `flip`: 128 is added to levels."""
    channels = layer.shape["filters"]
    rows = np.zeros(channels, np.int64) if stage.rows == 1 else np.arange(channels)
    stage = stage.of_rows(rows)
    low, high = (np.broadcast_to(end, channels) for end in layer.reach)
    if np.any(stage.multiplier < 0):
        return None
    steps = steps_of(stage, low, high, flip)
    bent = None if stage.kink is None else int(stage.edge - 1 >> stage.shift) + flip
    search = _Search(steps, *middle(steps), layer.partial, _most(layer), bent if bent is None or bent >= 0 else None)
    for line in _lines(search, layer.kernel.startswith("ms_small_depthwise")):
        held = replace(line, low=stage.low + flip, high=stage.high + flip, flip=flip)
        return FittedLine(held, _compared(held, stage, steps, low, high))
    return None


def _most(layer: KernelCall) -> int:
    """Return how large a sum with its whole bias may be where the kernel adds."""
    return largest_sum(layer.shape) if layer.kernel == "ms_small_conv" else LARGEST


def _lines(search: _Search, fine_alone: bool) -> Iterator[SmallLine]:
    """Return the lines that were found, the cheapest first; what has a kink seldom has a line without one."""
    fine = search.bounds(FINE)
    if search.bent is None and not fine_alone:
        yield from _found(search, SHIFTS, 0, search.bounds(0))
    if fine[0] <= fine[1]:
        yield from _found(search, FINE_SHIFTS, FINE, fine)
        if search.bent is not None:
            yield from _found(replace(search, bent=None), FINE_SHIFTS, FINE, fine)


def _found(search: _Search, shifts: tuple[int, ...], fine: int, bounds: tuple[int, int]) -> Iterator[SmallLine]:
    for shift in shifts:
        if np.any(search.slope * 2.0 ** (32 + shift - fine) > LARGEST):
            continue
        edge = 0 if search.bent is None else search.bent + 1 << shift
        for offset in _offsets(search, shift, fine):
            found = _solve(search, offset, shift, fine, bounds)
            if found is not None:
                yield SmallLine(*found, offset, shift, 0, 255, fine=fine, edge=edge)


def _offsets(search: _Search, shift: int, fine: int) -> Iterator[int]:
    """Return offsets to try: of the usual zero points, those at which biases are nearest to integers, then far ones.

    Far from the levels, a little more of the multiplier moves a channel's steps without changing their distances.
    """
    if fine:
        yield from (-levels << shift for levels in _FINE_FAR if levels << shift < 2**30)
        return
    yield from ((1 << shift >> 1) + (zero << shift) for zero in _ZEROS)
    rows = search.steps.up_used[:, :-1].sum(axis=1) > 1
    halves = np.arange(2 * 256)[:, None] / 2
    bias = (search.start[rows] - halves) / search.slope[rows]
    distance = np.abs(bias - np.rint(bias)).max(axis=1, initial=0)
    for half in np.argsort(distance, kind="stable")[:_NEAR]:
        yield int(half) << shift >> 1
    for levels in _FAR:
        yield -levels << shift


def _solve(
    search: _Search, offset: int, shift: int, fine: int, bounds: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray] | None:
    """Return bias and multiplier of each channel that keep all steps, or None; biases lie within `bounds`."""
    scale = 2.0 ** (32 + shift - fine)
    wanted = np.rint(np.minimum(search.slope * scale, LARGEST)).astype(np.int64)
    ideal = np.rint(np.clip((search.start - offset / 2.0**shift) / search.slope * 2.0**fine, -(2.0**31), 2.0**31))
    around = _AROUND << fine if fine else 1
    first, last = (np.clip(ideal.astype(np.int64) + by, *bounds) for by in (-around, around))
    bias, multiplier = np.zeros_like(first), np.full_like(first, -1)
    for kink in (0,) if search.bent is None else (0, 1, -1):
        open_ = np.flatnonzero(multiplier < 0)
        ends = _ends(wanted[open_], search.bent, kink)
        found = _bisect(search, open_, first[open_], last[open_], (offset, shift, fine), ends, wanted[open_])
        bias[open_], multiplier[open_] = found
    return None if np.any(multiplier < 0) else (bias, multiplier)


def _ends(wanted: np.ndarray, bent: int | None, by: int) -> Room:
    """Return which multipliers are tried: all, or those with the kink of `wanted`, or of 2^by times that."""
    if bent is None:
        return Room(np.zeros_like(wanted), np.full_like(wanted, LARGEST), wanted)
    bits = np.clip(np.frexp(wanted.astype(np.float64))[1].astype(np.int64) + by, 23, 31)
    return Room(np.where(bits == 23, 0, np.int64(1) << bits - 1), (np.int64(1) << bits) - 1, wanted)


def _bisect(
    search: _Search,
    channels: np.ndarray,
    first: np.ndarray,
    last: np.ndarray,
    form: tuple[int, int, int],
    ends: Room,
    wanted: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Return bias and multiplier of `channels`, -1 where there is none, with biases in first..last."""
    bias, multiplier = np.zeros_like(first), np.full_like(first, -1)
    at = np.arange(len(channels))
    while at.size:
        tried = first[at] + last[at] >> 1
        found = _room(search, channels[at], tried, form, Room(*(values[at] for values in ends)))
        here = found.least <= found.most
        bias[at[here]] = tried[here]
        multiplier[at[here]] = np.clip(wanted[at], found.least, found.most)[here]
        first[at] = np.where(found.raises, tried + 1, first[at])
        last[at] = np.where(found.raises, last[at], tried - 1)
        at = at[~here & (first[at] <= last[at])]
    return bias, multiplier


def _room(search: _Search, channels: np.ndarray, bias: np.ndarray, form: tuple[int, int, int], ends: Room) -> Room:
    """Return what is left for the multipliers of these channels with these biases, within `ends`."""
    offset, shift, fine = form
    steps = search.steps.of(channels)
    at = tuple((sums << fine) + bias[:, None] for sums in (steps.up, steps.down))
    kink = kinks(ends.most)[:, None]
    value = tuple(
        (levels << shift) - offset + (0 if search.bent is None else np.where(levels <= search.bent, kink, 0))
        for levels in (steps.reached, steps.missed)
    )
    return room(steps, at, value, ends)


def _compared(line: SmallLine, stage: MultiplyAddShift, steps: KeptSteps, low: np.ndarray, high: np.ndarray) -> int:
    """Count the sums around all steps at which `line` gives what `stage` gives: all, or this generator is wrong."""
    channel = np.broadcast_to(np.arange(len(low))[:, None], steps.up.shape)
    for sums in (steps.up, np.clip(steps.down, low[:, None], high[:, None])):
        assert np.array_equal(line.apply(sums, channel), stage.apply(sums, channel)), "the line differs"
    return int(steps.up_used.sum())
