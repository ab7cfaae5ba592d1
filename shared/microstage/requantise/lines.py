"""Prove a staircase of thresholds equal to a line, a line with a kink, or a line of its own shift for each channel."""

from __future__ import annotations

import numpy as np

from microstage.requantise.constraints import Constraints
from microstage.requantise.stages import Lines, MultiplyAddShift, Search

__all__ = ["fit_affine", "fit_lines", "smallest_shift"]

_MOST_PARTINGS = 6


def fit_affine(
    search: Search, low: np.ndarray | int, high: np.ndarray | int, kinks: bool = True
) -> MultiplyAddShift | None:
    """Return the multiply-add-shift with the smallest shift that equals `search` at every sum in low..high, or None.

    `low` and `high` are one integer, or one per row. `kinks`: where no line does, look for one with a kink.

    Both are staircases that never fall, so they are equal on the whole range exactly when each step of one lies where
    the other's does: for each threshold t of level k, the affine form reaches k at t and not at t - 1. That is two
    linear inequalities in multiplier and offset per step, and the room between them is a concave function of the
    multiplier, whose top a bisection finds; no room at the top proves that this shift is too small.
    """
    low, high = (np.broadcast_to(end, len(search.thresholds)) for end in (low, high))
    wide = max(int(np.abs(low).max()), int(np.abs(high).max())) >= 2**31
    if not search.thresholds.size:  # the same at every sum
        nothing = np.zeros(len(search.thresholds), np.int64)
        return MultiplyAddShift(nothing, nothing, 0, search.bias, search.bias, wide=wide)
    if search.scale != 1 or wide:
        return None
    steps = Constraints(search.thresholds, search.bias, low, high)
    for even in (False, True):
        line = smallest_shift(steps, even)
        if line is not None:
            line.wide = not line.fits_32_bits(low, high)
            return line
    return _kinked(steps) if kinks else None


def fit_lines(search: Search, low: np.ndarray | int, high: np.ndarray | int) -> Lines | None:
    """Return the line with the smallest shift of each row that equals `search` at every sum in low..high.

    None where a row has no line.
    """
    low, high = (np.broadcast_to(end, len(search.thresholds)) for end in (low, high))
    if search.scale != 1 or not search.thresholds.size or max(int(np.abs(end).max()) for end in (low, high)) >= 2**31:
        return None
    steps, found = Constraints(search.thresholds, search.bias, low, high), []
    for row in range(len(search.thresholds)):
        line = smallest_shift(steps.of_row(row), even=False)
        if line is None:
            return None
        found.append((int(line.multiplier[0]), int(line.offset[0]), line.shift))
    multiplier, offset, shift = (np.array(of, np.int64) for of in zip(*found))
    return Lines(multiplier, offset, shift, steps.bias + steps.least, steps.bias + steps.most)


def smallest_shift(steps: Constraints, even: bool) -> MultiplyAddShift | None:
    """Return the line with the smallest shift that keeps all constraints, None where no shift does."""
    first, last = int(even), steps.largest_shift
    found = steps.solve(last, even) if first <= last else None
    if found is None:
        return None
    while first < last:  # what a shift can do, the next one can by doubling
        middle = (first + last) // 2
        smaller = steps.solve(middle, even)
        if smaller is None:
            first = middle + 1
        else:
            last, found = middle, smaller
    return MultiplyAddShift(*found, first, steps.bias + steps.least, steps.bias + steps.most, even)


def _kinked(steps: Constraints) -> MultiplyAddShift | None:
    """Return the line that lies lower below one level, as rounding twice makes of sums below zero, or None.

    Where it lies lower is looked for at the levels that part the steps best into two lines of one slope.
    """
    for level in steps.partings()[:_MOST_PARTINGS] if steps.largest_shift >= 0 else ():
        found = steps.solve_parted(steps.largest_shift, level)
        if found is not None:
            multiplier, offset, kink = found
            shift, edge = steps.largest_shift, (steps.bias + level + 1) << steps.largest_shift
            return MultiplyAddShift(
                multiplier, offset, shift, steps.bias + steps.least, steps.bias + steps.most, kink=kink, edge=edge
            )
    return None
