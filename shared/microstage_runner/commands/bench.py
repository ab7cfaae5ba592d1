"""`make bench-*`: `noop`, what a finished `make` costs beside a start of Python; else a benchmark file in its suite's environment."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from microstage_runner.cli import REPOSITORY, split_words
from microstage_runner.commands.tests import environment_of
from microstage_runner.declarations.selection import SETTINGS
from microstage_runner.declarations.used import assert_settings_used
from microstage_runner.engines.local import LocalBackend

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


def noop(command: list[str]) -> int:
    floor = median_seconds([sys.executable, "-c", ""])
    taken = median_seconds(command)
    print(
        f"{' '.join(command)}: {taken:.3f} s, median of {_ROUNDS}; {taken / floor:.1f} times a start of Python ({floor:.3f} s)"
    )
    return 0


def in_environment(script: str) -> int:
    """Run tests/STAGE/bench_NAME.py as the tests beside it are run."""
    path = (REPOSITORY / script).resolve()
    with tempfile.TemporaryDirectory() as scratch:
        python, environment = environment_of(
            path.parent, LocalBackend(REPOSITORY, REPOSITORY / "volumes"), Path(scratch)
        )
        return subprocess.run([str(python), str(path)], env=environment).returncode


def main(words: list[str]) -> int:
    if words[0] != "noop":
        assert_settings_used(f"bench-{Path(words[0]).stem.removeprefix('bench_')}", split_words(words[1:]), SETTINGS)
    if words[0] == "setup":
        from microstage_runner.commands import bench_setup

        bench_setup.main()
        return 0
    return noop(words[1:]) if words[0] == "noop" else in_environment(words[0])
