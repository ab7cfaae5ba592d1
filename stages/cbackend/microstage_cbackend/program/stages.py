"""Stages: how an exact sum becomes the integer that is stored, and how a staircase is proven equal to a smaller form.

    Raw      the sum itself
    Search   bias + scale * (number of thresholds that the sum reaches), rows of thresholds, one or one per channel
    Shared   bias + number of thresholds of one row that (sum << shift) + offset of the channel reaches
    Affine   (sum * multiplier + offset) >> shift, held to low..high; `even`: rounded, halves to the even neighbour (or the odd one)

Each but Raw can be `raised` (give more) and, but for Shared, be made one `of_raised` sums.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

__all__ = ["Affine", "Raw", "Search", "Shared", "Stage", "fit_affine", "fit_shared", "one_step"]

_LARGEST_SHIFT = 46
_LARGEST_MULTIPLIER = 2**30
_FAR = 2**61
_MOST_ROUNDS = 100


@dataclass
class Raw:
    wide: bool = False

    @property
    def kind(self) -> str:
        return "raw64" if self.wide else "raw32"

    def apply(self, sums: np.ndarray, channel: np.ndarray) -> np.ndarray:
        return sums


@dataclass
class Search:
    """`thresholds` int64 [rows, levels], each row ascending; rows is 1 or the number of channels."""

    thresholds: np.ndarray
    scale: int
    bias: int
    wide: bool = False
    "Whether sums are 64 bits wide."

    @property
    def kind(self) -> str:
        if self.wide:
            return "search64"
        reach = int(np.abs(self.thresholds).max(initial=0))
        return "search16" if reach < 2**15 else "search32"

    @property
    def bytes(self) -> int:
        return self.thresholds.size * int(self.kind.removeprefix("search")) // 8

    @property
    def ends(self) -> tuple[int, int]:
        last = self.bias + self.scale * self.thresholds.shape[1]
        return min(self.bias, last), max(self.bias, last)

    def apply(self, sums: np.ndarray, channel: np.ndarray) -> np.ndarray:
        """Stage of `sums` whose channels are `channel`, both of one shape."""
        counts = np.empty(sums.shape, np.int64)
        rows = np.zeros_like(channel) if len(self.thresholds) == 1 else channel
        for row in np.unique(rows):
            here = rows == row
            counts[here] = np.searchsorted(self.thresholds[row], sums[here], side="right")
        return self.bias + self.scale * counts

    @property
    def rows(self) -> int:
        return len(self.thresholds)

    def of_rows(self, rows: np.ndarray) -> Search:
        """The same with the rows at these places."""
        return replace(self, thresholds=self.thresholds[rows])

    def raised(self, by: int) -> Search:
        """The same plus `by`."""
        return replace(self, bias=self.bias + by)

    def of_raised(self, added: np.ndarray) -> Search:
        """What gives for sums that are larger by `added`, per channel or one for all, what this gives for the sums."""
        return replace(self, thresholds=self.thresholds + added[:, None])

    def held(self, low: int, high: int) -> Search:
        """The same over sums in low..high with every threshold within low..high + 1."""
        return Search(np.clip(self.thresholds, low, high + 1), self.scale, self.bias, self.wide)


@dataclass
class Affine:
    """`multiplier` and `offset` int64 [rows]; rows is 1 or the number of channels."""

    multiplier: np.ndarray
    offset: np.ndarray
    shift: int
    low: int
    high: int
    even: bool = False
    odd: bool = False
    "Halves are rounded to the odd neighbour instead."
    wide: bool = True

    @property
    def rows(self) -> int:
        return self.multiplier.size

    def of_rows(self, rows: np.ndarray) -> Affine:
        """The same with the rows at these places."""
        return replace(self, multiplier=self.multiplier[rows], offset=self.offset[rows])

    def raised(self, by: int) -> Affine:
        """The same plus `by`."""
        offset, odd = self.offset + (by << self.shift), self.odd ^ bool(by % 2)
        return replace(self, offset=offset, low=self.low + by, high=self.high + by, odd=odd)

    def of_raised(self, added: np.ndarray) -> Affine:
        """What gives for sums that are larger by `added`, per channel or one for all, what this gives for the sums."""
        return replace(self, offset=self.offset - self.multiplier * added)

    @property
    def kind(self) -> str:
        return "even64" if self.even else "affine64" if self.wide else "affine32"

    @property
    def bytes(self) -> int:
        return self.multiplier.size * (4 + (8 if self.wide else 4))

    def fits_32_bits(self, low: np.ndarray | int, high: np.ndarray | int) -> bool:
        """Whether every step fits int32_t for sums in low..high."""
        products = [self.multiplier * end for end in (low, high)]
        sums = [p + self.offset for p in products]
        return all(int(np.abs(v).max()) < 2**31 for v in (*products, *sums, self.offset))

    def apply(self, sums: np.ndarray, channel: np.ndarray) -> np.ndarray:
        """Stage of `sums` whose channels are `channel`, both of one shape."""
        rows = np.zeros_like(channel) if self.multiplier.size == 1 else channel
        value = sums * self.multiplier[rows] + self.offset[rows]
        if self.even:
            value = value + (1 << (self.shift - 1)) - 1 + (value >> self.shift & 1 ^ self.odd)
        return np.clip(value >> self.shift, self.low, self.high)


@dataclass
class Shared:
    """`thresholds` int64 [levels], ascending; `offset` int64 [channels]."""

    thresholds: np.ndarray
    offset: np.ndarray
    shift: int
    bias: int

    kind = "shared32"

    def raised(self, by: int) -> Shared:
        """The same plus `by`."""
        return replace(self, bias=self.bias + by)

    @property
    def bytes(self) -> int:
        return 4 * (self.thresholds.size + self.offset.size)

    def apply(self, sums: np.ndarray, channel: np.ndarray) -> np.ndarray:
        """Stage of `sums` whose channels are `channel`, both of one shape."""
        return self.bias + np.searchsorted(self.thresholds, (sums << self.shift) + self.offset[channel], side="right")


Stage = Raw | Search | Shared | Affine


def fit_shared(search: Search, low: np.ndarray | int, high: np.ndarray | int) -> Shared | None:
    """The form whose channels share one row of thresholds, equal to `search` at every sum in low..high, or None.

    A channel reaches level k at sum t and not at t - 1 exactly when threshold k lies above ((t - 1) << shift) + offset and
    not above (t << shift) + offset. These are bounds on differences of thresholds and offsets, which have a solution
    if and only if shortest paths between them settle.
    """
    t = search.thresholds
    if search.scale != 1 or len(t) == 1:
        return None
    low, high = (np.broadcast_to(end, len(t))[:, None] for end in (low, high))
    reach = max(int(np.abs(low).max()), int(np.abs(high).max())) + int(np.ptp(np.clip(t, low, high + 1)))
    for shift in range(0, 30 - max(reach, 1).bit_length(), 2):
        above = np.where(t <= low, low << shift, np.where(t > high, _FAR, t << shift))
        below = np.where(t > high, high << shift, np.where(t <= low, -_FAR, (t - 1) << shift))
        found = _settle(above, below)
        if found is not None:
            return Shared(*found, shift, search.bias)
    return None


def _settle(above: np.ndarray, below: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """(thresholds [levels], offsets [channels]) with below < threshold - offset <= above, both [channels, levels], or None."""
    thresholds, offsets = np.zeros(above.shape[1], np.int64), np.zeros(above.shape[0], np.int64)
    for _ in range(_MOST_ROUNDS):
        lower = np.minimum(thresholds, (offsets[:, None] + above).min(axis=0))
        lower = np.minimum.accumulate(lower[::-1])[::-1]
        less = np.minimum(offsets, (lower - below - 1).min(axis=1))
        if np.array_equal(lower, thresholds) and np.array_equal(less, offsets):
            centre = (int(thresholds.max()) + int(thresholds.min())) // 2
            fits = max(int(np.abs(v - centre).max()) for v in (thresholds, offsets)) < 2**30
            return (thresholds - centre, offsets - centre) if fits else None
        thresholds, offsets = lower, less
    return None


def fit_affine(search: Search, low: np.ndarray | int, high: np.ndarray | int) -> Affine | None:
    """The multiply-add-shift with the smallest shift that equals `search` at every sum in low..high (per row or one), or None.

    Both are staircases that never fall, so they are equal on the whole range exactly when each step of one lies where
    the other's does: for each threshold t of level k, the affine form reaches k at t and not at t - 1. That is two
    linear inequalities in multiplier and offset per step, and the room between them is a concave function of the
    multiplier, whose top a bisection finds; no room at the top proves that this shift is too small.
    """
    low, high = (np.broadcast_to(end, len(search.thresholds)) for end in (low, high))
    wide = max(int(np.abs(low).max()), int(np.abs(high).max())) >= 2**31
    if not search.thresholds.size:  # the same at every sum
        nothing = np.zeros(len(search.thresholds), np.int64)
        return Affine(nothing, nothing, 0, search.bias, search.bias, wide=wide)
    if search.scale != 1 or wide:
        return None
    steps = _Constraints(search, low, high)
    for even in (False, True):
        first, last = int(even), steps.largest_shift
        if first > last or steps.solve(last, even) is None:
            continue
        while first < last:  # what a shift can do, the next one can by doubling
            middle = (first + last) // 2
            first, last = (first, middle) if steps.solve(middle, even) else (middle + 1, last)
        multiplier, offset = steps.solve(first, even)
        found = Affine(multiplier, offset, first, search.bias + steps.least, search.bias + steps.most, even)
        found.wide = even or not found.fits_32_bits(low, high)
        return found
    return None


def one_step(stage: Affine) -> Affine:
    """The same function where it has two values, with the shift of 32 that vector kernels want: any slope has one step."""
    if stage.high - stage.low != 1 or stage.even or np.any(stage.multiplier < 1):
        return stage
    step = -((stage.offset - (stage.high << stage.shift)) // stage.multiplier)  # the least sum that gives `high`
    return Affine(np.ones_like(stage.multiplier), (stage.high << 32) - step, 32, stage.low, stage.high)


class _Constraints:
    """Points that the affine form must reach (`up`: sum, level) and must stay below (`down`), per channel, padded."""

    def __init__(self, search: Search, low: np.ndarray, high: np.ndarray) -> None:
        t = search.thresholds
        low, high = low[:, None], high[:, None]
        level = np.broadcast_to(np.arange(1, t.shape[1] + 1), t.shape)
        inside = (t > low) & (t <= high)
        always, reached = (t <= low).sum(axis=1), (t <= high).sum(axis=1)
        self.least, self.most, self.bias = int(always.min()), int(reached.max()), search.bias
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

    @property
    def largest_shift(self) -> int:
        """The largest at which no multiplier and no level leaves what is compared in 64 bits."""
        at, level, used = (a[:, :-1] for a in self.up)
        first = np.where(used, at, 2**40).min(axis=1, initial=2**40)
        span = np.where(used, at, -(2**40)).max(axis=1, initial=-(2**40)) - first
        slopes = np.where(span > 0, (used.sum(axis=1) - 1) / np.maximum(span, 1), 0)
        steepest = max(float(slopes.max(initial=0)), 2.0**-16)
        levels = max(abs(self.bias), abs(self.bias + self.most), 1)
        return min(_LARGEST_SHIFT, int(np.log2(_LARGEST_MULTIPLIER / 2 / steepest)), 60 - levels.bit_length())

    def solve(self, shift: int, even: bool) -> tuple[np.ndarray, np.ndarray] | None:
        """(the smallest multiplier, its offset) per row that keep all constraints with `shift`, or None."""
        first = np.zeros(len(self.up[0]), np.int64)
        last = np.where(self.up[2][:, :-1].any(axis=1), _LARGEST_MULTIPLIER, 0)  # a constant channel needs no slope
        while np.any(first < last):  # the largest multiplier to which the room still grows
            middle = (first + last) // 2
            grows = self._room(middle + 1, shift, even)[0] > self._room(middle, shift, even)[0]
            first, last = np.where(grows & (first < last), middle + 1, first), np.where(grows, last, middle)
        if np.any(self._room(last, shift, even)[0] < 0):
            return None
        first = np.zeros_like(last)
        while np.any(first < last):  # below it the room grows, so the smallest with enough is found by halves
            middle = (first + last) // 2
            enough = self._room(middle, shift, even)[0] >= 0
            first, last = np.where(enough, first, np.minimum(middle + 1, last)), np.where(enough, middle, last)
        _, below, above = self._room(first, shift, even)
        return first, np.where(below > -_FAR, below, np.where(above < _FAR, above, 0))

    def _room(self, multiplier: np.ndarray, shift: int, even: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        below = self._bounds(self.up, multiplier, shift, even, -_FAR).max(axis=1)
        above = self._bounds(self.down, multiplier, shift, even, _FAR + 1).min(axis=1) - 1
        return above - below, below, above

    def _bounds(self, points, multiplier, shift: int, even: bool, far: int) -> np.ndarray:
        at, level, used = points
        wanted = (level + self.bias) << shift
        if even:  # a half goes up to an even level and down from an odd one
            wanted = wanted - (1 << (shift - 1)) + ((level + self.bias) & 1)
        return np.where(used, wanted - multiplier[:, None] * at, far)
