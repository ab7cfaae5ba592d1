"""Say where a network is cut short because an operator has no form in integers, and end there unless the user allows
it.
"""

from __future__ import annotations

from collections.abc import Collection

from microstage.errors import CutShort
from microstage.stage import Job
from microstage_streamline.integerise.integer_graph import IntegerGraph
from microstage_streamline.integerise.integers import IN_FRONT, Unresolved
from microstage_streamline.normalise.input_type import REMEDY

__all__ = ["assert_not_cut_short"]

_SCORES = ("Softmax", "LogSoftmax", "Sigmoid")  # of a higher score they never make a lower one
_EARLIER = "PARTIAL=1 goes on without it, with the integers in front of it as the answer"


def assert_not_cut_short(job: Job, made: IntegerGraph, lacking: Collection[str]) -> None:
    """Name every place; `CutShort` for the first of them, unless the parameter `partial` lets that pass.

    `lacking`: tensors that are read from a real input without a quantiser.
    """
    for found in made.unresolved:
        job.log(f"streamline: not integer: {found}: {found.reason}")
    if made.unresolved and not job.parameters.get("partial"):
        first, *more = made.unresolved
        others = f" (and at {len(more)} more places, listed above)" if more else ""
        raise CutShort(f"The network is cut short at {first}{others}: {first.reason}; {_remedy(first, lacking)}.")


def _remedy(found: Unresolved, lacking: Collection[str]) -> str:
    if found.tensor in lacking or found.reason.startswith(IN_FRONT):
        return f"{REMEDY}, or PARTIAL=1 goes on without what cannot be reached from integers"
    if found.operator in _SCORES:
        return f"{_EARLIER}, in which the order of the classes is the same"
    return f"quantise what it reads and what it gives (docs/own-network.md), or {_EARLIER}"
