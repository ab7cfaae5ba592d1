"""One process of the runner, from its first import on."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType

from microstage.process.ending import ended

__all__ = ["REPOSITORY", "TRACES", "load", "process"]

REPOSITORY = Path(__file__).resolve().parents[2]
"The checkout that this runner is part of."
TRACES = ".traces"


def process(words: Sequence[str], repository: Path, work: Callable[[], int | None]) -> int:
    """Return the exit code of `work`, which NAME=VALUE `words` ask for; keep the trace of a fault on their volume."""
    typed = next((word.partition("=")[2] for word in reversed(words) if word.startswith("VOLUMES=")), "")
    trace = Path(typed or repository / "volumes") / TRACES / f"runner-{os.getpid()}.txt"
    return ended("microstage", work, trace, "nothing half-made was published.")


def load(module: str) -> ModuleType:
    """Import a module of this package by its name.

    The one place where the runner imports late: the command line after signals are heard, the module of the one command
    that was asked for, and the client of registries, which loads HTTP and TLS. A finished `make` pays for none of them.
    """
    return importlib.import_module(f"microstage_runner.{module}")
