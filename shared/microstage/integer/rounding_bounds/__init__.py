"""What float32 may make of real operators: the exact value, and ends that it cannot leave (running error analysis).

Each operator turns the ends of its inputs into ends of its output, value by value (Higham, Accuracy and Stability of
Numerical Algorithms, chapters 2 and 3), with u = 2^-24:

    one correctly rounded operation  u |result|; nothing where the inputs are certain and the result is a float32
    a sum of K products, any order   (K + 4) u sum|x_i w_i| (Jeannerod and Rump 2013, for every K), and what the inputs
                                     bring; nothing where every partial sum is a whole multiple, below 2^24, of one
                                     power of two
    batch norm                       8 u (|x a| + |mean a| + |beta|) with a = gamma / sqrt(variance + epsilon)
    a function                       its STATED error at both ends; 4 u |result| where none is stated. What it rises or
                                     falls where it turns round between the ends is of second order, and is left out
    a quantiser                      its own levels at both ends, and never more than one step away

Nothing is said of underflow. The exact value is the reference's own, in float64.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import onnx

from microstage.errors import ModelError
from microstage.integer.registry import Kind, named
from microstage.integer.rounding_bounds.bounded import UNIT, Bounded
from microstage.integer.rounding_bounds.rules import RULES, STATED, each_end, fan_in, monotone, places
from microstage.integer.tensor import real

__all__ = ["STATED", "UNIT", "Bounded", "NoBound", "bound", "fan_in", "unexplained"]

_SLACK = 2.0**-44  # of the largest value: float64's own roundings, a millionth of float32's
_BY_KIND = {Kind.MOVES: each_end, Kind.ORDER: places, Kind.MONOTONE: monotone, Kind.EACH: monotone}


class NoBound(ModelError):
    """An operator has no rule, so that nobody can say what float32 may make of it."""


def bound(nodes: Iterable[onnx.NodeProto], given: Mapping[str, Bounded]) -> dict[str, Bounded]:
    """Return every tensor that `nodes`, in an order in which they can be run, compute from those `given`.

    `NoBound` for an operator that has no rule.
    """
    values = dict(given)
    for node in nodes:
        rule = RULES.get(node.op_type) or _BY_KIND.get(named(node.op_type).kind)
        if rule is None:
            raise NoBound(f"{node.op_type} -> {node.output[0]} has no rounding bound")
        values.update(zip(node.output, rule(node, [values[name] if name else None for name in node.input])))
    return values


def unexplained(expected: Any, found: np.ndarray, bounded: Bounded) -> np.ndarray:
    """Return where `found`, real values or levels, or `expected` itself, lies beyond the ends."""
    ours, found = real(expected), np.asarray(found, np.float64)
    slack = _SLACK * max(np.abs(ours).max(initial=0), bounded.size.max(initial=0))
    low, high = bounded.low - slack, bounded.high + slack
    return ~((low <= ours) & (ours <= high) & (low <= found) & (found <= high))
