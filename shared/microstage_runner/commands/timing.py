"""How long a command takes."""

from __future__ import annotations

import statistics
import subprocess
import time

__all__ = ["ROUNDS", "median_seconds"]

ROUNDS = 15


def median_seconds(command: list[str], rounds: int = ROUNDS) -> float:
    """Return the median of `rounds` runs, output discarded; a failing command raises `CalledProcessError`."""
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
        times.append(time.perf_counter() - began)
    return statistics.median(times)
