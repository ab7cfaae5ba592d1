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
from microstage_streamline.own.graph import Node
from microstage_streamline.own.pointwise import Function, axis_of, layout_of
from microstage_streamline.passes.annotate_datatypes import datatype_of

if TYPE_CHECKING:
    from microstage_streamline.own.integerise import Integers

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
    """The levels are `low` + count(p a + r b >= `table`)."""

    p: int
    r: int
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
        sums, found = sums[order], levels[order]
        steps = np.diff(found, axis=0)
        if (steps >= 0).all() and not steps[np.diff(sums) == 0].any():
            low, high = int(found.min()), int(found.max())
            wanted = np.arange(low + 1, max(high, low + 1) + 1)
            above = np.append(sums, sums[-1] + 1)
            table = np.stack([above[np.searchsorted(channel, wanted)] for channel in found.T])
            return Aligned(p, r, table, low, datatype_of(low, low + len(wanted)).name, layout_of(axis, rank))
    raise ModelError(f"adds {' and '.join(joined.nodes[0].inputs)}, whose scales differ by no ratio that small factors keep")


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
            yield (near.numerator, near.denominator) if s <= t else (near.denominator, near.numerator)
