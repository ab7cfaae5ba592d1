"""Median wall time of a command over repeated runs, beside that of starting Python and make alone."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

__all__ = ["median_seconds"]

_ROUNDS = 15


def median_seconds(command: list[str], rounds: int = _ROUNDS) -> float:
    """Median of `rounds` runs, output discarded; a failing command raises."""
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def main(command: list[str]) -> None:
    floor = median_seconds([sys.executable, "-c", ""])
    taken = median_seconds(command)
    print(f"{' '.join(command)}: {taken:.3f} s, median of {_ROUNDS}; {taken / floor:.1f} times a start of Python ({floor:.3f} s)")


if __name__ == "__main__":
    main(sys.argv[1:])
