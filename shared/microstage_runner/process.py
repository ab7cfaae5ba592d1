"""One process of the runner, from its first import on."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from microstage.process.ending import ended

__all__ = ["TRACES", "process"]

TRACES = ".traces"


def process(words: Sequence[str], repository: Path, work: Callable[[], int | None]) -> int:
    """Exit code of `work`, which NAME=VALUE `words` ask for; the trace of a fault is kept on their volume."""
    typed = next((word.partition("=")[2] for word in reversed(words) if word.startswith("VOLUMES=")), "")
    trace = Path(typed or repository / "volumes") / TRACES / f"runner-{os.getpid()}.txt"
    return ended("microstage", work, trace, "nothing half-made was published.")
