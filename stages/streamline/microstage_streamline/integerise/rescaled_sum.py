"""Find whole factors for the sum of two tensors at different scales, as every residual connection has it.

s a + t b, quantised, is thresholds of p a + r b for small whole p and r, as soon as p / r is so close to s / t that no
level of any pair (a, b) falls on the wrong side. There are few pairs, and every one of them is looked at.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from microstage.errors import ModelError
from microstage.integer import QTensor
from microstage.integer.interpreter import run_node
from microstage_streamline.finn.annotate_datatypes import datatype_of
from microstage_streamline.graph.graph import Node
from microstage_streamline.integerise.channel_axis import axis_of, layout_of
from microstage_streamline.integerise.functions import Function
from microstage_streamline.integerise.integers import Integers
from microstage_streamline.integerise.staircases import ChannelThresholds, TurningSteps

__all__ = ["RescaledSum", "SumStaircase", "with_small_factors"]

_MOST_PAIRS, _MOST_VALUES, _EXACT_IN_FLOAT32 = 1 << 18, 1 << 22, 1 << 24
_LARGEST_FACTOR_BITS = 14
_MOST_TURNS = 4  # times as many steps as levels


@dataclass(frozen=True)
class RescaledSum:
    """A function of two tensors: the first of `nodes` adds `a` and `b`, each at one scale of its own."""

    a: Integers
    b: Integers
    nodes: list[Node]
    example: Any

    @property
    def terms(self) -> tuple[Integers, Integers]:
        return self.a, self.b

    @property
    def scales(self) -> list[np.float64]:
        """The scale of each term: one number."""
        return [np.float64(np.asarray(term.example.scale).reshape(-1)[0]) for term in self.terms]

    @property
    def origin(self) -> Hashable:
        """What sums have in common that are all functions of one pair of tensors."""
        return self.a.name, self.b.name

    @property
    def behind(self) -> Function:
        """What is left behind the addition, as a function whose operators and constants are looked at alone."""
        return Function(self.a, self.nodes[1:], self.example)


@dataclass(frozen=True)
class SumStaircase:
    """The staircase of p a + r b; both factors, shaped to be broadcast, are negative where the levels fall."""

    p: np.ndarray
    r: np.ndarray
    levels: ChannelThresholds | TurningSteps


def with_small_factors(joined: RescaledSum, constants: Mapping[str, Any]) -> SumStaircase:
    """Return the least p and r that give every pair its own level.

    `ModelError` if there are none, or too many pairs to look at.
    """
    rank = len(joined.example.shape)
    a, b = _pairs(joined)
    function = Function(joined.a, joined.nodes, joined.example, joined.nodes[0].inputs[0])
    axis = axis_of(function, rank, constants, scaled=False)
    levels = _levels(joined, a, b, constants, rank)
    form = _as_steps if joined.behind.may_turn(constants) else _as_thresholds
    for p, r in _factors(joined):
        sums = p * a + r * b
        if np.abs(sums).max() >= _EXACT_IN_FLOAT32:
            break
        order = np.argsort(sums, kind="stable")
        found = form(p, r, sums[order], levels[order], axis, rank)
        if found is not None:
            return found
    raise ModelError(
        f"adds {' and '.join(joined.nodes[0].inputs)}, whose scales differ by no ratio that small factors keep"
    )


def _as_thresholds(
    p: int, r: int, sums: np.ndarray, levels: np.ndarray, axis: int | None, rank: int
) -> SumStaircase | None:
    """Return the thresholds of levels that rise with their sums, or fall with them; None where they do neither."""
    rising = _rising(sums, levels)
    if rising is None:
        return None
    sign, sums, found = rising
    low, high = int(found.min()), int(found.max())
    wanted = np.arange(low + 1, max(high, low + 1) + 1)
    rows = [np.append(own, own[-1] + 1)[np.searchsorted(channel, wanted)] for own, channel in zip(sums.T, found.T)]
    sign = sign.reshape([-1 if place == axis else 1 for place in range(rank)])
    kind, along = datatype_of(low, low + len(wanted)).name, 1 if axis is None else axis
    table = ChannelThresholds(np.stack(rows), low, np.zeros(1, bool), along, kind, layout_of(axis, rank))
    return SumStaircase(p * sign, r * sign, table)


def _as_steps(p: int, r: int, sums: np.ndarray, levels: np.ndarray, axis: int | None, rank: int) -> SumStaircase | None:
    """Return the steps of levels that turn round; None where equal sums have two levels, or steps are too many."""
    steps = np.diff(levels, axis=0)
    apart = np.diff(sums)
    if steps[apart == 0].any() or np.abs(steps).sum(axis=0).max() > _MOST_TURNS * (np.ptp(levels) + 1):
        return None
    at = sums[1:]
    rising, falling = ([np.repeat(at, np.maximum(sign * own, 0)) for own in steps.T] for sign in (1, -1))
    one = np.ones((1,) * rank, np.int64)
    ends = int(levels.min()), int(levels.max())
    turning = TurningSteps(levels[0], rising, falling, ends, 1 if axis is None else axis)
    return SumStaircase(p * one, r * one, turning)


def _rising(sums: np.ndarray, levels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Return (sign of each channel, its sums [pairs, channels], levels) so that levels rise with sums.

    None where equal sums have two levels, or a channel does not keep one direction. `sums` [pairs] ascend.
    """
    falling = levels[-1] < levels[0]
    sums = np.where(falling, -sums[::-1, None], sums[:, None])
    levels = np.where(falling, levels[::-1], levels)
    steps = np.diff(levels, axis=0)
    if (steps < 0).any() or steps[np.diff(sums, axis=0) == 0].any():
        return None
    return np.where(falling, -1, 1), sums, levels


def _pairs(joined: RescaledSum) -> tuple[np.ndarray, np.ndarray]:
    """Return every integer of a with every one of b: two arrays [pairs]."""
    ends = [term.range.ends for term in joined.terms]
    sizes = [high - low + 1 for low, high in ends]
    if sizes[0] * sizes[1] > _MOST_PAIRS:
        raise ModelError(
            f"adds {' and '.join(joined.nodes[0].inputs)}, whose scales differ; quantise both with one"
            " scale, or to 8 bits"
        )
    a, b = (np.arange(low, high + 1) for low, high in ends)
    return np.repeat(a, len(b)), np.tile(b, len(a))


def _levels(joined: RescaledSum, a: np.ndarray, b: np.ndarray, constants: Mapping[str, Any], rank: int) -> np.ndarray:
    """Return the level of each pair [pairs, channels or 1], by the reference."""
    values = dict(constants)
    for name, ints, scale in zip(joined.nodes[0].inputs, (a, b), joined.scales):
        values[name] = QTensor(ints.reshape(-1, *[1] * (rank - 1)), scale)
    for node in joined.nodes:
        values.update(run_node(node.proto(), values))
        found = values[node.output]
        if np.size(getattr(found, "ints", found)) > _MOST_VALUES:
            raise ModelError("adds tensors at different scales in too many channels to look at each")
    return np.asarray(getattr(found, "ints", found)).astype(np.int64).reshape(len(a), -1)


def _factors(joined: RescaledSum) -> Iterator[tuple[int, int]]:
    """Yield p, r with p / r ever closer to the ratio of the scales."""
    s, t = map(float, joined.scales)
    seen = set()
    for bits in range(_LARGEST_FACTOR_BITS + 1):
        near = Fraction(min(s, t) / max(s, t)).limit_denominator(1 << bits)
        if near and near not in seen:
            seen.add(near)
            p, r = (near.numerator, near.denominator) if s <= t else (near.denominator, near.numerator)
            falls = joined.nodes[0].op == "Sub" or joined.nodes[0].flags.get("sign", 1) < 0
            yield p, -r if falls else r
