"""`make bench-kernels`: the C kernels on the MLPerf Tiny layers, as a fraction of the processor's peak."""

from __future__ import annotations

from pathlib import Path

from microstage_runner.commands.suite_environment import run_script

__all__ = ["command"]


def command(typed: dict[str, str], repository: Path) -> int:
    """Return the exit code of the benchmark, which runs in the environment of the tests beside it."""
    return run_script(repository / "tests" / "cbackend" / "bench_kernels.py")
