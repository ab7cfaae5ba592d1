"""A staircase as one line: level = floor((x * multiplier + addend) / 2^shift), equal at every integer that can come.

Both never fall, so they are equal everywhere as soon as each step of one lies where the other's does: with t the least
integer of level k, the line reaches k at t and not at t - 1. The multiplier that leaves the most room is found on a few
steps, those that are in its way are added until none is left (a cutting plane), and what is found is compared at all of
them, in integers.

Ties need more: a line that meets k exactly where halves go to the even neighbour passes an even k and must not pass an
odd one. Odd levels then begin `ties` higher.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from microstage.integer.fixed_point import PART, line

__all__ = ["Line", "Weighted", "fit_line", "fit_weighted"]

_FIRST, _MOST_ROUNDS = 17, 60
_LARGEST_MULTIPLIER, _LARGEST_SHIFT = 56, 80  # bits
_FAR, _WRAPS, _HELD = 2**62, 2.0**61, 2**60
_AT_ONCE, _MOST_KEPT = 1 << 20, 1 << 22  # steps


@dataclass(frozen=True)
class Line:
    """`multiplier` and `addend` int64 [rows].

    Levels are those of `microstage.integer.fixed_point.line`, held to their range.
    """

    multiplier: np.ndarray
    addend: np.ndarray
    shift: int
    ties: int = 0
    lift: int = 0

    def at(self, x: np.ndarray) -> np.ndarray:
        """Return levels [n, rows] of integers [n, rows], not held."""
        return line(x, self.multiplier, self.addend, self.shift, self.ties, self.lift)


def fit_line(table: np.ndarray, bottom: int, low: np.ndarray, high: np.ndarray) -> Line | None:
    """Return the line with the least shift that has level bottom + count(x >= `table`) at every x in low..high.

    None where there is no such line.

    `table` int64 [rows, levels], rows ascending, low - 1 < entries <= high + 1; what every row reaches, or none does,
    is held by the range.
    """
    staircase = _Staircase(table, bottom, low, high)
    last = largest = staircase.largest_shift
    multiplier = staircase.roomiest(largest)
    found, first = staircase.line(multiplier, largest), 0
    while found and first < last:
        middle = (first + last) // 2
        by = largest - middle
        shorter = (multiplier.astype(object) + (1 << (by - 1))) >> by  # of rows without a step 80 places and more
        less = staircase.line(shorter.astype(np.int64), middle)
        first, last, found = (first, middle, less) if less else (middle + 1, last, found)
    return found


class _Staircase:
    """All rows, some at a time, so that memory holds what is made of them."""

    def __init__(self, table: np.ndarray, bottom: int, low: np.ndarray, high: np.ndarray) -> None:
        self.table, self.bottom, self.low, self.high = table, bottom, low, high
        self.ends = (
            bottom + int((table <= low[:, None]).sum(1).min()),
            bottom + int((table <= high[:, None]).sum(1).max()),
        )
        self.reach = int(max(np.abs(low).max(), np.abs(high).max(), 1))
        each = max(1, _AT_ONCE // max(1, table.shape[1]))
        self.kept: dict[int, _Steps] = {}
        self.rows = [slice(first, first + each) for first in range(0, len(table), each)]

    def _steps(self, rows: slice) -> _Steps:
        """Return the steps of some rows, kept where there is memory for all."""
        if rows.start in self.kept:
            return self.kept[rows.start]
        found = _Steps(self.table[rows], self.bottom, self.low[rows], self.high[rows], self.ends)
        if self.table.size <= _MOST_KEPT:
            self.kept[rows.start] = found
        return found

    @property
    def largest_shift(self) -> int:
        """The largest with which the upper part of every product is held by 62 bits."""
        reach = self.reach.bit_length()
        bits = min(_LARGEST_MULTIPLIER, 59 + PART - reach) if reach + PART < 62 else 60 - reach
        steepest = max(self._steps(rows).steepest for rows in self.rows)
        return max(0, min(int(np.floor(bits - np.log2(steepest or 1 / self.reach))), _LARGEST_SHIFT))

    def roomiest(self, shift: int) -> np.ndarray:
        """Return the multiplier of each row that leaves the most room; where there is no step, 0."""
        return np.concatenate([self._steps(rows).roomiest(shift) for rows in self.rows])

    def line(self, multiplier: np.ndarray, shift: int) -> Line | None:
        """Return the line of these multipliers, if addends and ties put every step where it should lie."""
        ends = [self._steps(rows).addends(multiplier[rows], shift) for rows in self.rows]
        if any(end is None for end in ends):
            return None
        least, most = (np.concatenate([end[side] for end in ends], 1) for side in (0, 1))  # [even or odd levels, rows]
        fewest, most_ties = int((least[0] - most[1]).max()), int((most[0] - least[1]).min())
        if np.any(least > most) or fewest > most_ties:
            return None
        ties = 0 if fewest <= 0 <= most_ties else (fewest + most_ties) // 2
        first, last = np.maximum(least[0], least[1] + ties), np.minimum(most[0], most[1] + ties)
        first, last = np.where(first <= -_FAR // 2, last, first), np.where(last >= _FAR // 2, first, last)
        x, level = (
            np.concatenate([self._steps(rows).origin[side] for rows in self.rows]).reshape(-1).astype(object)
            for side in (0, 1)
        )
        addend = (first.astype(object) + last) // 2 + (level << shift) - multiplier.astype(object) * x - min(ties, 0)
        return self._proven(multiplier, addend, shift, ties)

    def _proven(self, multiplier: np.ndarray, addend: np.ndarray, shift: int, ties: int) -> Line | None:
        """Return the line whose numbers 64 bits hold, compared at every step; None where there is none."""
        whole = self.reach * (int(np.abs(multiplier).max()) + 1) + max(map(abs, addend)) < _HELD
        lift = 0 if whole else PART
        addend, ties = (addend + (1 << lift >> 1)) >> lift, -(-abs(ties) >> lift) * (1 if ties > 0 else -1)
        if max(map(abs, addend)) >= _HELD or shift <= lift and lift or abs(ties) >= 1 << (shift - lift):
            return None
        found = Line(multiplier, addend.astype(np.int64), shift, ties, lift)
        each = (replace(found, multiplier=found.multiplier[rows], addend=found.addend[rows]) for rows in self.rows)
        return found if all(self._steps(rows).met_by(own) for rows, own in zip(self.rows, each)) else None


class _Steps:
    """What the line must reach (`up`: x, level, used) and what it must stay below (`down`).

    [rows, levels + 1] each, from the step in the middle.
    """

    def __init__(
        self, table: np.ndarray, bottom: int, low: np.ndarray, high: np.ndarray, ends: tuple[int, int]
    ) -> None:
        low, high = low[:, None], high[:, None]
        level = np.broadcast_to(bottom + np.arange(1, table.shape[1] + 1), table.shape)
        inside = (table > low) & (table <= high)
        always, reached = bottom + (table <= low).sum(1, keepdims=True), bottom + (table <= high).sum(1, keepdims=True)
        middle = np.argmax(np.cumsum(inside, 1) > inside.sum(1, keepdims=True) // 2, 1)[:, None]
        some = inside.any(1, keepdims=True)
        self.origin = tuple(
            np.where(some, np.take_along_axis(of, middle, 1), end) for of, end in ((table, low), (level, always))
        )
        self.up = self._points(np.where(inside, table, low), level, inside, low, always, always > ends[0])
        self.down = self._points(np.where(inside, table - 1, high), level, inside, high, reached + 1, reached < ends[1])

    def _points(self, x, level, used, end, end_level, end_used):
        x, level = np.hstack([x, end]) - self.origin[0], np.hstack([level, end_level]) - self.origin[1]
        return x, level, np.hstack([used, end_used])

    @property
    def steepest(self) -> float:
        """The most levels to an integer, about; 0 where there is no step, or one."""
        x, _, used = self.up
        first, last = (np.where(used, x, end).astype(np.float64) for end in (_FAR, -_FAR))
        span, levels = last.max(1) - first.min(1), used.sum(1) - 1
        return float(np.max(np.where(span > 0, levels / np.maximum(span, 1), 0)))

    def roomiest(self, shift: int) -> np.ndarray:
        """Return the multiplier of each row that leaves the most room; where there is no step, 0."""
        rows, count = self.up[0].shape
        chosen = [np.unique(np.linspace(0, count - 1, _FIRST).astype(int))[None].repeat(rows, 0)] * 2
        for _ in range(_MOST_ROUNDS):
            multiplier = self._best(chosen, shift)
            above, below = (
                self._residual(self.up, multiplier, shift, -np.inf),
                self._residual(self.down, multiplier, shift, np.inf),
            )
            worst = [np.argmax(above, 1), np.argmin(below, 1)]
            if all((one[:, None] == known).any(1).all() for one, known in zip(worst, chosen)):
                break
            chosen = [np.hstack([known, one[:, None]]) for one, known in zip(worst, chosen)]
        return multiplier

    def _best(self, chosen, shift: int) -> np.ndarray:
        """Return the multiplier at the top of the room that the `chosen` steps leave.

        The room is a concave function; it is searched by halves, in Python's integers.
        """
        points = [
            tuple(np.take_along_axis(part, index, 1) for part in side)
            for side, index in zip((self.up, self.down), chosen)
        ]
        (ux, uy, uu), (dx, dy, du) = (
            (x.astype(object), level.astype(object) << shift, used) for x, level, used in points
        )

        def room(multiplier):
            m = multiplier[:, None]
            return np.where(du, dy - m * dx, 1 << 160).min(1) - np.where(uu, uy - m * ux, -(1 << 160)).max(1)

        first = np.zeros(len(ux), object)
        last = np.where(uu.any(1), 1 << (_LARGEST_MULTIPLIER + 1), 0).astype(object)
        while (first < last).any():
            middle = (first + last) // 2
            grows = (room(middle + 1) > room(middle)) & (first < last)
            first, last = np.where(grows, middle + 1, first), np.where(grows, last, np.minimum(middle, last))
        return last.astype(np.int64)

    def _residual(self, points, multiplier: np.ndarray, shift: int, unused: float) -> np.ndarray:
        """Return level 2^shift - multiplier x from the origin, nearly, of each step."""
        x, level, used = points
        return np.where(used, level * 2.0**shift - multiplier[:, None] * x.astype(np.float64), unused)

    def addends(self, multiplier: np.ndarray, shift: int):
        """Return (least, most) addend of even and of odd levels, int64 [2, rows].

        Products wrap; what is left of them does not, or says nothing.
        """
        ends = []
        for points, unused, end in ((self.up, -_FAR, np.max), (self.down, _FAR, np.min)):
            x, level, used = points
            about = self._residual(points, multiplier, shift, 0) * np.sign(-unused)
            if about.max(initial=0) > _WRAPS:
                return None
            left = (level << shift if shift < 64 else 0) - multiplier[:, None] * x
            parity = [used & (about > -_WRAPS) & ((level + self.origin[1]) % 2 == odd) for odd in (0, 1)]
            ends.append(np.stack([end(np.where(own, left, unused), axis=1) for own in parity]))
        return ends[0], ends[1] - 1

    def met_by(self, line: Line) -> bool:
        """Tell whether every step lies where it should, by the rule that the graph is run with."""
        sides = ((self.up, np.greater_equal), (self.down, np.less))
        return all(
            np.all(inside(line.at((x + self.origin[0]).T), (level + self.origin[1]).T) | ~used.T)
            for (x, level, used), inside in sides
        )


@dataclass(frozen=True)
class Weighted:
    """level = floor((a p + b r + addend) / 2^shift), taken down by `ties` as in `Line`."""

    p: int
    r: int
    addend: int
    shift: int
    ties: int


def fit_weighted(
    table: np.ndarray, bottom: int, ends: tuple[int, int], factors: tuple[int, int], reach: tuple[int, int]
) -> Weighted | None:
    """Return the weights of a and b with which their sum is, at every pair, on the level that n has; None if none are.

    n is factors[0] a + factors[1] b.

    `table` [levels]: the least n of each level above `bottom`; `ends` of n; `reach`: the largest |a| and |b|. The sum
    stays within `slack` of a line through n, and every step of that line has more room than this.
    """
    staircase = _Staircase(table[None], bottom, *(np.array([end]) for end in ends))
    staircase.reach = 1  # nothing is multiplied by the slope itself
    fine = staircase.largest_shift
    (slope,) = staircase.roomiest(fine)
    found = _Steps(table[None], bottom, staircase.low, staircase.high, staircase.ends)
    room = found.addends(np.array([slope]), fine)
    if room is None:
        return None
    least, most = ([int(value) for value in side[:, 0]] for side in room)
    start = (int(found.origin[1][0, 0]) << fine) - int(slope) * int(found.origin[0][0, 0])
    for shift in range(fine + 1):
        weighted = _weights(int(slope), factors, reach, least, most, start, fine - shift, shift)
        if weighted is not None:
            return weighted
    return None


def _weights(slope, factors, reach, least, most, start: int, by: int, shift: int) -> Weighted | None:
    """Return the weights that are `slope` times the factors, rounded to `by` bits less.

    None where some step has no room for that.
    """
    half = 1 << by >> 1
    p, r = ((slope * factor + half) >> by for factor in factors)
    slack = half + sum(
        abs(slope * factor - (weight << by)) * most for factor, weight, most in zip(factors, (p, r), reach)
    )
    (even, odd), (even_last, odd_last) = ([value + slack for value in least], [value - slack for value in most])
    fewest, most_ties = even - odd_last, even_last - odd
    ties = 0 if fewest <= 0 <= most_ties else ((fewest + most_ties) // 2 + half) >> by
    first, last = max(even, odd + (ties << by)), min(even_last, odd_last + (ties << by))
    if even > even_last or odd > odd_last or first > last or abs(ties) >= 1 << shift:
        return None
    addend = ((start + (first + last) // 2 + half) >> by) - min(ties, 0)
    if abs(p) * reach[0] + abs(r) * reach[1] + abs(addend) >= _HELD:
        return None
    return Weighted(p, r, addend, shift, ties)
