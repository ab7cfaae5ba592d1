"""`make bench-noop`: what a finished `make` costs, beside a start of Python."""

from __future__ import annotations

import sys
from pathlib import Path

from microstage_runner.commands.timing import ROUNDS, median_seconds
from microstage_runner.declarations.checkout import load_stages
from microstage_runner.declarations.stages import INTEGERS, of_role

__all__ = ["command"]


def command(typed: dict[str, str], repository: Path) -> None:
    """Time `make` of the stage that makes integers, which is done already, with the variables that were typed."""
    target = of_role(load_stages(repository), INTEGERS)
    words = ["make", "--silent", target, *(f"{name}={value}" for name, value in typed.items())]
    floor = median_seconds([sys.executable, "-c", ""])
    taken = median_seconds(words)
    ratio = f"{taken / floor:.1f} times a start of Python ({floor:.3f} s)"
    print(f"{' '.join(words)}: {taken:.3f} s, median of {ROUNDS}; {ratio}")
