"""Simplify sums of two tensors of different scales.

An integer graph writes them as two products, a sum and thresholds.

    take_factors   the constants that both operands are multiplied by, into the layer that sums and has the stage
    fit_pairs      thresholds of p a + r b as one multiply-add-shift (m a + n b + offset) >> shift

Only pairs (a, b) of integers that both operands can hold matter, not the sums in between: p and r are small numbers
near the ratio of two scales, and the line that the scales themselves make is as a rule none of p a + r b.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product

import numpy as np

from microstage.requantise import MultiplyAddShift, Search
from microstage_cbackend.passes.fuse import producer
from microstage_cbackend.program.ir import KernelCall, Part, Tensor
from microstage_cbackend.program.places import walk

__all__ = ["fit_pairs", "take_factors"]

_MOST_PAIRS = 2**18
_LARGEST_SHIFT = 30
_NEAR = [tuple(change) for change in sorted(product((0, 1, -1), repeat=2), key=lambda change: sum(map(abs, change)))]
_PRECISION = 2.0**-32
_GOLDEN = (5**0.5 - 1) / 2


def take_factors(part: Part) -> None:
    """Make the constants p and r in stage(p a + r b) multipliers of the layer that sums."""
    for layer in part.layers:
        if layer.kernel == "ms_blend":
            for place, name in enumerate(("x", "w")):
                _take(part, layer, place, name)


def _take(part: Part, layer: KernelCall, place: int, name: str) -> None:
    x = layer.inputs[place]
    times = producer(part, x.root) if x.data is None and not x.start else None
    if times is None or times.kernel != "ms_mul":
        return
    constant = next((t for t in times.inputs if t.data is not None and t.size == 1), None)
    operand, steps = (times.inputs[0], "x_step") if constant is times.inputs[1] else (times.inputs[1], "w_step")
    if constant is None or operand.data is not None:
        return
    if np.array_equal(walk(times.shape, steps).ravel(), np.arange(x.root.size)):
        layer.inputs[place] = operand
        layer.shape[f"{name}_multiplier"] *= int(constant.integers.ravel()[0])


def fit_pairs(
    search: Search, factors: tuple[int, int], a: Tensor, b: Tensor
) -> tuple[tuple[int, int], MultiplyAddShift] | None:
    """Return multipliers and the stage that equal `search` of factors[0] a + factors[1] b at every pair, or None."""
    xs, ys = np.arange(a.low, a.high + 1)[:, None], np.arange(b.low, b.high + 1)[None]
    if xs.size * ys.size > _MOST_PAIRS or search.scale != 1 or len(search.thresholds) > 1 or search.thresholds.size < 2:
        return None
    sums = factors[0] * xs + factors[1] * ys
    wanted = search.apply(sums, np.zeros_like(sums))
    slope = _slope(sums, wanted)
    for multipliers, stage in _lines(wanted, xs, ys, (factors[0] * slope, factors[1] * slope)):
        found = multipliers[0] * xs + multipliers[1] * ys
        if np.array_equal(stage.apply(found, np.zeros_like(found)), wanted):
            return multipliers, stage
    return None


def _slope(sums: np.ndarray, levels: np.ndarray) -> float:
    """Estimate the levels per unit of a sum, by least squares, where none is held to the lowest or highest level."""
    free = (levels > levels.min()) & (levels < levels.max())
    free = free if free.sum() > 1 and np.ptp(levels[free]) else np.ones_like(free)
    sums, levels = sums[free], levels[free]
    return float(np.cov(sums, levels)[0, 1] / np.var(sums, ddof=1)) if np.ptp(sums) else 0.0


def _lines(
    wanted: np.ndarray, xs: np.ndarray, ys: np.ndarray, near: tuple[float, float]
) -> Iterator[tuple[tuple[int, int], MultiplyAddShift]]:
    """Yield lines with slopes about `near`, rounded down or half to even, then about those with the most room."""
    bounds = _Bounds(wanted, xs, ys)
    for even, slopes in ((False, lambda: near), (True, lambda: near), (False, lambda: bounds.roomiest(near))):
        m, n = slopes()
        for shift, (i, j) in product(range(int(even), _LARGEST_SHIFT + 1), _NEAR):
            multipliers = round(m * 2.0**shift) + i, round(n * 2.0**shift) + j
            offset = bounds.offset(multipliers, shift, even)
            if offset is not None:
                one = np.ones(1, np.int64)
                yield multipliers, MultiplyAddShift(one, np.array([offset]), shift, bounds.low, bounds.high, even)


class _Bounds:
    """Bound what m x + n y + offset must reach and stay below, to be `wanted` [xs, ys] when it is rounded down.

    The pairs at which a level begins and ends, row by row, bound all others.
    """

    def __init__(self, wanted: np.ndarray, xs: np.ndarray, ys: np.ndarray) -> None:
        self.low, self.high = int(wanted.min()), int(wanted.max())
        rising = wanted if wanted[:, -1].sum() >= wanted[:, 0].sum() else wanted[:, ::-1]
        ys = np.broadcast_to(ys if rising is wanted else ys[:, ::-1], wanted.shape)
        xs, same = np.broadcast_to(xs, wanted.shape), np.diff(rising, axis=1) == 0
        begins, ends = (np.pad(~same, ((0, 0), side), constant_values=True) for side in ((1, 0), (0, 1)))
        begins, ends = begins & (rising > self.low), ends & (rising < self.high)
        self.up, self.down = ((rising[edge], xs[edge], ys[edge]) for edge in (begins, ends))

    def offset(self, multipliers: tuple[int, int], shift: int, even: bool) -> int | None:
        """Return the offset in the middle of those with which the shift gives every level, or None."""
        (up, *reached), (down, *kept) = self.up, self.down
        least, most = up << shift, ((down + 1) << shift) - 1
        if even:  # half a step lower; a half belongs to the even level
            half = 1 << (shift - 1)
            least, most = least - half + (up & 1), most - half + 1 - (down & 1)
        first = (least - multipliers[0] * reached[0] - multipliers[1] * reached[1]).max(initial=-(2**60))
        last = (most - multipliers[0] * kept[0] - multipliers[1] * kept[1]).min(initial=2**60)
        return int(first + last) // 2 if first <= last else None

    def room(self, m: float, n: float) -> float:
        """Return how far the offset can move with real slopes: a concave function of both."""
        (up, *reached), (down, *kept) = self.up, self.down
        least, most = up - m * reached[0] - n * reached[1], down + 1 - m * kept[0] - n * kept[1]
        return float(most.min(initial=2.0**60) - least.max(initial=-(2.0**60)))

    def roomiest(self, near: tuple[float, float]) -> tuple[float, float]:
        """Return the slopes about `near` that leave the most room."""

        def best(m: float) -> float:
            return _highest(lambda n: self.room(m, n), near[1])

        m = _highest(lambda m: self.room(m, best(m)), near[0])
        return m, best(m)


def _highest(function: Callable[[float], float], near: float) -> float:
    """Find where a concave function is highest within a hundredth of `near`, by golden sections."""
    low, high = near - abs(near) / 100, near + abs(near) / 100
    while high - low > abs(near) * _PRECISION:
        left, right = high - (high - low) * _GOLDEN, low + (high - low) * _GOLDEN
        low, high = (low, right) if function(left) >= function(right) else (left, high)
    return (low + high) / 2
