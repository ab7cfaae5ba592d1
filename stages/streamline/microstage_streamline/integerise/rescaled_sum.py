"""Sums of two tensors at different scales, which onnxruntime's quantiser writes for every residual connection.

s a + t b, quantised, is thresholds of p a + r b for small whole p and r, as soon as p / r is so close to s / t that no level of any
pair (a, b) falls on the wrong side. There are few pairs, and every one of them is looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from microstage.errors import ModelError
from microstage.integer import QTensor
from microstage.integer.interpreter import run_node
from microstage_streamline.finn.annotate_datatypes import datatype_of
from microstage_streamline.graph.graph import Node
from microstage_streamline.integerise.monotone import Function, axis_of, layout_of

if TYPE_CHECKING:
    from microstage_streamline.integerise.made import Integers

__all__ = ["Joined", "aligned"]

_MOST_PAIRS, _MOST_VALUES, _EXACT_IN_FLOAT32 = 1 << 18, 1 << 22, 1 << 24
_LARGEST_FACTOR_BITS = 14


@dataclass(frozen=True)
class Joined:
    """`nodes`, the first of which adds `a` and `b`, each at one scale of its own."""

    a: Integers
    b: Integers
    nodes: list[Node]
    example: Any


@dataclass(frozen=True)
class Aligned:
    """The levels are `low` + count(p a + r b >= `table`); both factors, shaped to be broadcast, are negative where the levels fall."""

    p: np.ndarray
    r: np.ndarray
    table: np.ndarray
    low: int
    datatype: str
    layout: str


def aligned(joined: Joined, constants: Mapping[str, Any]) -> Aligned:
    """The least p and r that give every pair its own level; `ModelError` if there are none, or too many pairs to look at."""
    rank = joined.a.range.low.ndim
    a, b = _pairs(joined)
    axis = axis_of(Function(joined.a, joined.nodes, joined.example), rank, constants, scaled=False)
    levels = _levels(joined, a, b, constants, rank)
    for p, r in _factors(joined):
        sums = p * a + r * b
        if np.abs(sums).max() >= _EXACT_IN_FLOAT32:
            break
        order = np.argsort(sums, kind="stable")
        rising = _rising(sums[order], levels[order])
        if rising is not None:
            sign, sums, found = rising
            low, high = int(found.min()), int(found.max())
            wanted = np.arange(low + 1, max(high, low + 1) + 1)
            table = np.stack([np.append(own, own[-1] + 1)[np.searchsorted(channel, wanted)] for own, channel in zip(sums.T, found.T)])
            sign = sign.reshape([-1 if place == axis else 1 for place in range(rank)])
            return Aligned(p * sign, r * sign, table, low, datatype_of(low, low + len(wanted)).name, layout_of(axis, rank))
    raise ModelError(f"adds {' and '.join(joined.nodes[0].inputs)}, whose scales differ by no ratio that small factors keep")


def _rising(sums: np.ndarray, levels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """(sign of each channel, its sums [pairs, channels], levels) so that levels rise with sums; None where equal sums have two levels, or
    a channel does not keep one direction. `sums` [pairs] ascend."""
    falling = levels[-1] < levels[0]
    sums = np.where(falling, -sums[::-1, None], sums[:, None])
    levels = np.where(falling, levels[::-1], levels)
    steps = np.diff(levels, axis=0)
    if (steps < 0).any() or steps[np.diff(sums, axis=0) == 0].any():
        return None
    return np.where(falling, -1, 1), sums, levels


def _pairs(joined: Joined) -> tuple[np.ndarray, np.ndarray]:
    ends = [term.range.ends for term in (joined.a, joined.b)]
    sizes = [high - low + 1 for low, high in ends]
    if sizes[0] * sizes[1] > _MOST_PAIRS:
        raise ModelError(f"adds {' and '.join(joined.nodes[0].inputs)}, whose scales differ; quantise both with one scale, or to 8 bits")
    a, b = (np.arange(low, high + 1) for low, high in ends)
    return np.repeat(a, len(b)), np.tile(b, len(a))


def _levels(joined: Joined, a: np.ndarray, b: np.ndarray, constants: Mapping[str, Any], rank: int) -> np.ndarray:
    """[pairs, channels or 1], by the reference."""
    values = dict(constants)
    for name, ints, term in zip(joined.nodes[0].inputs, (a, b), (joined.a, joined.b)):
        values[name] = QTensor(ints.reshape(-1, *[1] * (rank - 1)), np.float64(np.asarray(term.example.scale).reshape(-1)[0]))
    for node in joined.nodes:
        values.update(run_node(node.proto(), values))
        found = values[node.output]
        if np.size(getattr(found, "ints", found)) > _MOST_VALUES:
            raise ModelError("adds tensors at different scales in too many channels to look at each")
    return np.asarray(getattr(found, "ints", found)).astype(np.int64).reshape(len(a), -1)


def _factors(joined: Joined) -> Iterator[tuple[int, int]]:
    """p, r with p / r ever closer to the ratio of the scales."""
    s, t = (float(np.asarray(term.example.scale).reshape(-1)[0]) for term in (joined.a, joined.b))
    seen = set()
    for bits in range(_LARGEST_FACTOR_BITS + 1):
        near = Fraction(min(s, t) / max(s, t)).limit_denominator(1 << bits)
        if near and near not in seen:
            seen.add(near)
            p, r = (near.numerator, near.denominator) if s <= t else (near.denominator, near.numerator)
            yield p, -r if joined.nodes[0].flags.get("sign", 1) < 0 else r
