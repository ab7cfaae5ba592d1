"""`make bench-lstm`: a training step of the quantised LSTM beside brevitas' own and the float one."""

from __future__ import annotations

from pathlib import Path

from microstage_runner.commands.suite_environment import run_script

__all__ = ["command"]


def command(typed: dict[str, str], repository: Path) -> int:
    """Return the exit code of the benchmark, which runs in the environment of the tests beside it."""
    return run_script(repository / "tests" / "train" / "bench_lstm.py")
