"""Timing several calls side by side: short slices in turn, so that whatever else the machine does falls on all of them.

The clock is the process's own processor time, all threads together: it stands still while another process has the core.
"""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

__all__ = ["Timing", "interleaved", "pin", "ratio"]

_SLICE_SECONDS = 0.01


def pin() -> int:
    """Bind this process, and every thread that it starts, to the last processor it may use; returns its number."""
    core = max(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {core})
    return core


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
    """Every call in every round, about 10 ms (or one call) at a time; each round starts with another one."""
    counts = {name: _calls_per_slice(call) for name, call in calls.items()}
    found: dict[str, list[float]] = {name: [] for name in calls}
    names = list(calls)
    gc.collect()
    gc.disable()
    try:
        for turn in range(rounds):
            first = turn % len(names)
            for name in names[first:] + names[:first]:
                calls[name]()  # warm its caches again
                found[name].append(_microseconds(calls[name], counts[name]))
    finally:
        gc.enable()
    return {name: Timing(np.array(values)) for name, values in found.items()}


def ratio(slower: Timing, faster: Timing) -> tuple[float, float, float]:
    """Ratio of medians, and the quartiles of the ratios of single rounds."""
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
