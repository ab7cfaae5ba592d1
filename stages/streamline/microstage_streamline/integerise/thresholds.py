"""Search exact thresholds: where the reference's own function of the accumulator steps from one level to the next.

Never by dividing scales: the function is evaluated, by the interpreter's code and in its float64 order, at integers of
the accumulator's provable range, and each step is found by binary search, which is exact because the function is
monotone (docs/numerics.md). Where the range is small enough, every single value of it is checked as well.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx

from microstage.errors import ModelError
from microstage.integer.interpreter import run_node
from microstage.integer.tensor import QTensor

__all__ = ["Thresholds", "chain_function", "search"]

_EVERY_VALUE = 2**20


class Thresholds:
    """`table` int64 [channels, levels - 1], rows sorted; level = low + count(accumulator >= threshold);
    `flipped` bool [channels]: where the function falls, and so holds for the negated accumulator."""

    def __init__(self, table: np.ndarray, low: int, flipped: np.ndarray) -> None:
        self.table, self.low, self.flipped = table, low, flipped


def chain_function(
    nodes: Sequence[onnx.NodeProto], start: str, scale: Any, constants: Mapping[str, np.ndarray], rank: int, axis: int
) -> Callable[[np.ndarray], np.ndarray]:
    """Return f(accumulators [k, channels]) -> levels: `nodes` run on integers at `scale` (None: plain integers)."""

    def evaluate(accumulators: np.ndarray) -> np.ndarray:
        shape = [len(accumulators)] + [1] * (rank - 1)
        shape[axis] = accumulators.shape[1]
        ints = accumulators.reshape(shape)
        values: dict[str, Any] = {**constants, start: ints if scale is None else QTensor(ints, scale)}
        for node in nodes:
            values.update(run_node(node, values))
        found = values[nodes[-1].output[0]]
        return (
            np.asarray(found.ints if isinstance(found, QTensor) else found).astype(np.int64).reshape(accumulators.shape)
        )

    return evaluate


def search(function: Callable[[np.ndarray], np.ndarray], low: np.ndarray, high: np.ndarray) -> Thresholds:
    """Search the thresholds of `function` over accumulators low..high [channels], for rising and falling channels."""
    ends = function(np.stack([low, high]))
    flipped = ends[1] < ends[0]
    if flipped.any():
        sign = np.where(flipped, -1, 1)
        low, high = np.where(flipped, -high, low), np.where(flipped, -low, high)
        rising = lambda a: function(a * sign)  # noqa: E731
    else:
        rising = function
    first, last = np.minimum(*ends), np.maximum(*ends)
    bottom, top = int(first.min()), int(last.max())
    levels = np.arange(bottom + 1, max(top, bottom + 1) + 1)[
        :, None
    ]  # a constant layer keeps one threshold, out of reach
    below = np.broadcast_to(
        low - 1, (len(levels), len(low))
    ).copy()  # f(below) < level, by convention outside the range
    above = np.broadcast_to(high + 1, below.shape).copy()  # f(above) >= level, by convention outside the range
    while (open_ := above - below > 1).any():
        middle = np.where(open_, (below + above) // 2, np.clip(below, low, high))
        reached = rising(middle) >= levels
        above = np.where(open_ & reached, middle, above)
        below = np.where(open_ & ~reached, middle, below)
    table = above.T
    _check(rising, table, levels, low, high)
    return Thresholds(table, bottom, flipped)


def _check(rising, table: np.ndarray, levels: np.ndarray, low: np.ndarray, high: np.ndarray) -> None:
    """Assert that each threshold is where its level is first reached, and that rows are sorted."""
    if np.any(np.diff(table, axis=1) < 0):
        raise ModelError("A function of an accumulator is not monotone; it has no thresholds.")
    at = table.T
    inside = at <= high
    before = at > low
    if np.any(inside & (rising(np.minimum(at, high)) < levels)) or np.any(
        before & (rising(np.maximum(at - 1, low)) >= levels)
    ):
        raise ModelError("A threshold is not where its level is first reached: the function is not monotone.")
    if int((high - low).max() + 1) * len(low) <= _EVERY_VALUE:
        _check_everywhere(rising, table, int(levels[0, 0]) - 1, low, high)


def _check_everywhere(rising, table: np.ndarray, bottom: int, low: np.ndarray, high: np.ndarray) -> None:
    """Assert that counting thresholds gives the function's own level at every accumulator of every channel."""
    domain = np.clip(np.arange(int((high - low).max()) + 1)[:, None] + low, low, high)
    wanted = rising(domain)
    for channel in range(len(low)):
        if not np.array_equal(
            bottom + np.searchsorted(table[channel], domain[:, channel], side="right"), wanted[:, channel]
        ):
            raise ModelError("A function of an accumulator is not monotone; it has no thresholds.")
