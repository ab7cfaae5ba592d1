"""Find whole weights for a sum of two tensors at different scales with too many pairs to look at: two of 16 bits.

s a + t b is g n for the whole number n = S a + T b, where g is the largest power of two of which both scales are
multiples. What follows is a staircase of n, and one multiply-add-shift of a and b has every step of it between the
right neighbours (`microstage.integer.lines`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from microstage.errors import ModelError
from microstage.integer.arithmetic import small_ratio
from microstage.integer.lines import Weighted, fit_weighted
from microstage_streamline.integerise.channel_axis import axis_of
from microstage_streamline.integerise.integers import Integers
from microstage_streamline.integerise.rescaled_sum import RescaledSum
from microstage_streamline.integerise.steps import first_reached
from microstage_streamline.integerise.thresholds import chain_function

__all__ = ["WeightedSum", "weighted_sum"]

_EXACT, _MOST_LEVELS = 1 << 53, 1 << 16


@dataclass(frozen=True)
class WeightedSum:
    """A quantised sum of two tensors by whole `weights`, held to the levels low..high."""

    weights: Weighted
    low: int
    high: int


def weighted_sum(joined: RescaledSum, constants: Mapping[str, Any]) -> WeightedSum | None:
    """Return the sum, quantised, as whole weights.

    None where 60 bits do not hold them or the scales differ from channel to channel.
    """
    terms, rank = joined.terms, joined.a.range.low.ndim
    scales = [np.asarray(term.example.scale, np.float64).reshape(-1) for term in terms]
    if any(np.ptp(scale) for scale in scales) or not joined.nodes[1:]:
        return None
    if axis_of(joined.behind, rank, constants, scaled=False) is not None:
        return None
    reach = max(map(abs, joined.a.range.ends)), max(map(abs, joined.b.range.ends))
    unit, factors = _whole(joined)
    ends = sorted(sum(f * end for f, end in zip(factors, pair)) for pair in _corners(factors, terms))
    if max(map(abs, ends)) >= _EXACT:
        return None
    nodes = [node.proto() for node in joined.nodes[1:]]
    evaluate = chain_function(nodes, joined.nodes[0].output, None, constants, rank, 1)
    levels = lambda n: evaluate(n.astype(np.float64) * unit)  # noqa: E731  exact: a power of two
    bottom, top = sorted(int(level) for level in levels(np.array(ends)[:, None]).ravel())
    if top - bottom > _MOST_LEVELS:
        raise ModelError(f"would need {top - bottom} levels; quantise to fewer bits")
    low, high = (np.array([end]) for end in (ends[0], ends[-1]))
    falls = int(levels(low[:, None])[0, 0]) > int(levels(high[:, None])[0, 0])
    if falls:
        low, high, factors = -high, -low, (-factors[0], -factors[1])
    rising = (lambda n: levels(-n)) if falls else levels
    table = first_reached(rising, np.arange(bottom + 1, max(top, bottom + 1) + 1), low, high)
    found = fit_weighted(table[0], bottom, (int(low[0]), int(high[0])), factors, reach)
    return None if found is None else WeightedSum(found, bottom, top)


def _whole(joined: RescaledSum) -> tuple[float, tuple[int, int]]:
    """Return g and the whole factors S, T of two scales.

    They are small ones that the reference takes the scales for, or multiples of a power of two, as floats are.
    """
    scales = [float(scale) for scale in joined.scales]
    small = small_ratio(*(term.example for term in joined.terms))
    if small:
        unit, (first, second) = scales[0] / small[0], small
    else:
        fractions = [Fraction(scale) for scale in scales]
        step = max(fraction.denominator for fraction in fractions)
        unit, (first, second) = 1.0 / step, (int(fraction * step) for fraction in fractions)
    return unit, (first, -second if joined.nodes[0].op == "Sub" else second)


def _corners(factors: Sequence[int], terms: Sequence[Integers]) -> Iterator[tuple[int, ...]]:
    """Yield the pairs of ends at which the sum is least and greatest."""
    yield from zip(*(term.range.ends[:: 1 if factor >= 0 else -1] for factor, term in zip(factors, terms)))
