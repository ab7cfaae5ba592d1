"""Timing several calls side by side: short slices in turn, so that whatever else the machine does falls on all of them.

The clock is the process's own processor time, all threads together: it stands still while another process has the core.
"""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

__all__ = ["Timing", "interleaved", "core", "pinned", "ratio"]

_SLICE_SECONDS = 0.01


def core() -> int:
    """Return the processor that measuring is bound to: the last one that this process may use."""
    return max(os.sched_getaffinity(0))


@contextmanager
def pinned() -> Iterator[None]:
    """This thread, which makes every call, bound to one processor."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core()})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


@dataclass(frozen=True)
class Timing:
    """Microseconds per call, one value a round."""

    rounds: np.ndarray

    @property
    def median(self) -> float:
        return float(np.median(self.rounds))

    @property
    def best(self) -> float:
        return float(self.rounds.min())

    @property
    def spread(self) -> tuple[float, float]:
        """First and third quartile."""
        low, high = np.quantile(self.rounds, [0.25, 0.75])
        return float(low), float(high)


def interleaved(calls: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, Timing]:
    """Time every call in every round, about 10 ms (or one call) at a time; each round starts with another one."""
    gc.collect()
    gc.disable()
    try:
        with pinned():
            counts = {name: _calls_per_slice(call) for name, call in calls.items()}
            found = [_round(calls, counts, turn) for turn in range(rounds)]
    finally:
        gc.enable()
    return {name: Timing(np.array([values[name] for values in found])) for name in calls}


def _round(calls: Mapping[str, Callable[[], object]], counts: Mapping[str, int], turn: int) -> dict[str, float]:
    """Time each call, in an order of this turn's own; return microseconds."""
    names, found = list(calls), {}
    first = turn % len(names)
    for name in names[first:] + names[:first]:
        calls[name]()  # warm its caches again
        found[name] = _microseconds(calls[name], counts[name])
    return found


def ratio(slower: Timing, faster: Timing) -> tuple[float, float, float]:
    """Return the ratio of medians, and the quartiles of the ratios of single rounds."""
    low, high = np.quantile(slower.rounds / faster.rounds, [0.25, 0.75])
    return slower.median / faster.median, float(low), float(high)


def _calls_per_slice(call: Callable[[], object]) -> int:
    call()
    quickest = min(_microseconds(call, 3) for _ in range(3))
    return max(1, round(_SLICE_SECONDS * 1e6 / quickest))


def _microseconds(call: Callable[[], object], count: int) -> float:
    began = time.process_time_ns()
    for _ in range(count):
        call()
    return (time.process_time_ns() - began) / count / 1000
