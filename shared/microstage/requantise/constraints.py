"""Find the line that lies on every step of a staircase: multiplier and offset per row at a given shift."""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np

__all__ = ["Constraints"]

_LARGEST_SHIFT = 46
_LARGEST_MULTIPLIER, _OF_ANY_SUMS = 2**31 - 1, 2**30
_LARGEST_PRODUCT = 2**58  # of a multiplier beyond that of any sums, and the distance of two sums
_FAR = 2**61
_Points = tuple[np.ndarray, np.ndarray, np.ndarray]
"Sums, levels, and which of them count, each [rows, points]."
_Room = tuple[np.ndarray, np.ndarray, np.ndarray]
"Room for the offset, the lowest and the highest offset, each [rows]."


class Constraints:
    """Hold the points (sum, level) that the line must reach (`up`) and stay below (`down`), per channel, padded.

    `t` int64 [rows, levels]: the sum from which on a level is reached. Levels beyond `seen`, bool [levels], begin
    anywhere between `earliest` and `t`. `alike`: all rows have one multiplier.
    """

    def __init__(
        self,
        t: np.ndarray,
        bias: int,
        low: np.ndarray,
        high: np.ndarray,
        earliest: np.ndarray | None = None,
        seen: np.ndarray | None = None,
        alike: bool = False,
    ) -> None:
        low, high = low[:, None], high[:, None]
        level = np.broadcast_to(np.arange(1, t.shape[1] + 1), t.shape)
        inside = (t > low) & (t <= high) & (True if seen is None else seen)
        always, reached = (t <= low).sum(axis=1), ((t if earliest is None else earliest) <= high).sum(axis=1)
        self.least, self.most, self.bias, self.alike = int(always.min()), int(reached.max()), bias, alike
        held = _LARGEST_PRODUCT // max(1, int((high - low).max()))
        self.largest_multiplier = max(_OF_ANY_SUMS, min(_LARGEST_MULTIPLIER, held))
        ends = low, high
        self.up = (
            np.hstack([np.where(inside, t, 0), ends[0]]),
            np.hstack([level, always[:, None]]),
            np.hstack([inside, (always > self.least)[:, None]]),
        )
        self.down = (
            np.hstack([np.where(inside, t - 1, 0), ends[1]]),
            np.hstack([level, reached[:, None] + 1]),
            np.hstack([inside, (reached < self.most)[:, None]]),
        )

    def of_row(self, row: int) -> Constraints:
        """Return those of one row, held to the levels that all rows are held to."""
        one = copy.copy(self)
        one.up, one.down = (tuple(part[row : row + 1] for part in side) for side in (self.up, self.down))
        return one

    @property
    def largest_shift(self) -> int:
        """Return the largest shift at which no multiplier and no level leaves what is compared in 64 bits."""
        at, level, used = (a[:, :-1] for a in self.up)
        first = np.where(used, at, 2**40).min(axis=1, initial=2**40)
        span = np.where(used, at, -(2**40)).max(axis=1, initial=-(2**40)) - first
        slopes = np.where(span > 0, (used.sum(axis=1) - 1) / np.maximum(span, 1), 0)
        steepest = max(float(slopes.max(initial=0)), 2.0**-16)
        levels = max(abs(self.bias), abs(self.bias + self.most), 1)
        return min(_LARGEST_SHIFT, int(np.log2(self.largest_multiplier / 2 / steepest)), 60 - levels.bit_length())

    def solve(self, shift: int, even: bool) -> tuple[np.ndarray, np.ndarray] | None:
        """Return the smallest multiplier and its offset per row that keep all constraints with `shift`, or None."""
        found = self._smallest(lambda multiplier: [self._room(multiplier, shift, even, self.up, self.down)])
        if found is None:
            return None
        multiplier, ((_, below, above),) = found
        return multiplier, np.where(below > -_FAR, below, np.where(above < _FAR, above, 0))

    def solve_parted(self, shift: int, level: int) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
        """Return (multiplier, offset, kink) per row of a line that lies lower by the kink up to `level`, or None."""
        sides = [
            [(at, steps, used & (steps > level)) for at, steps, used in (self.up, self.down)],
            [(at, steps, used & (steps <= level)) for at, steps, used in (self.up, self.down)],
        ]
        found = self._smallest(lambda multiplier: [self._room(multiplier, shift, False, *side) for side in sides])
        if found is None:
            return None
        multiplier, ((_, least, highest), (_, lowest, most)) = found
        upper = np.where(highest < _FAR, highest, least)
        lower = np.where(lowest > -_FAR, lowest, most)
        bounded = np.abs(upper) < _FAR, np.abs(lower) < _FAR
        offset = np.where(bounded[0], upper, np.where(bounded[1], lower, 0))
        kink = np.where(bounded[0] & bounded[1], offset - lower, 0)
        return None if np.any(kink < 0) else (multiplier, offset, kink)

    def partings(self) -> np.ndarray:
        """Return levels, the likeliest first, up to which steps may lie on a lower line of the same slope.

        They are ordered by least squares over all rows.
        """
        at, _, used = (a[:, :-1] for a in self.up)
        k = np.broadcast_to(np.arange(1.0, at.shape[1] + 1), at.shape)
        count, x, y, xx, xy = (np.cumsum(np.where(used, a, 0.0), 1) for a in (np.ones_like(k), k, at, k * k, k * at))
        below, total = (count, x, y, xx, xy), [a[:, -1:] for a in (count, x, y, xx, xy)]
        square, cross, gained = 0.0, 0.0, 0.0
        for n, sx, sy, sxx, sxy in (below, [all_ - part for all_, part in zip(total, below)]):
            n = np.maximum(n, 1)
            square, cross = square + sxx - sx * sx / n, cross + sxy - sx * sy / n
            gained = gained + sy * sy / n
        gained = gained + np.where(square > 0, cross * cross / np.where(square > 0, square, 1), 0)
        return 1 + np.argsort(-gained.sum(0), kind="stable")

    def _smallest(self, rooms: Callable[[np.ndarray], list[_Room]]) -> tuple[np.ndarray, list[_Room]] | None:
        """Return the smallest multiplier per row that leaves room everywhere, and what `rooms` says of it, or None.

        Room is a concave function of the multiplier.
        """

        def room(multiplier: np.ndarray) -> np.ndarray:
            least = np.minimum.reduce([found[0] for found in rooms(multiplier)])
            return np.full_like(least, least.min()) if self.alike else least

        first = np.zeros(len(self.up[0]), np.int64)
        last = np.where(self.up[2][:, :-1].any(axis=1), self.largest_multiplier, 0)  # a constant channel needs no slope
        last = np.full_like(last, last.max()) if self.alike else last
        while np.any(first < last):  # the largest multiplier to which the room still grows
            middle = (first + last) // 2
            grows = room(middle + 1) > room(middle)
            first, last = np.where(grows & (first < last), middle + 1, first), np.where(grows, last, middle)
        if np.any(room(last) < 0):
            return None
        first = np.zeros_like(last)
        while np.any(first < last):  # below it the room grows, so the smallest with enough is found by halves
            middle = (first + last) // 2
            enough = room(middle) >= 0
            first, last = np.where(enough, first, np.minimum(middle + 1, last)), np.where(enough, middle, last)
        return first, rooms(first)

    def _room(self, multiplier: np.ndarray, shift: int, even: bool, up: _Points, down: _Points) -> _Room:
        """Return (room, lowest, highest offset) per row between points `up` and `down`."""
        below = self._bounds(up, multiplier, shift, even, -_FAR).max(axis=1)
        above = self._bounds(down, multiplier, shift, even, _FAR + 1).min(axis=1) - 1
        return above - below, below, above

    def _bounds(self, points: _Points, multiplier: np.ndarray, shift: int, even: bool, far: int) -> np.ndarray:
        """Return what the offset must reach for each of `points`, `far` for those that bound nothing."""
        at, level, used = points
        wanted = (level + self.bias) << shift
        if even:  # a half goes up to an even level and down from an odd one
            wanted = wanted - (1 << (shift - 1)) + ((level + self.bias) & 1)
        return np.where(used, wanted - multiplier[:, None] * at, far)
