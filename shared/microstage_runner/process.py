"""One process of the runner, from its first import on."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType

from microstage.process.ending import ended

__all__ = ["DOOR", "INSTALLED", "REPOSITORY", "TRACES", "load", "process", "volumes_of"]

REPOSITORY = Path(__file__).resolve().parents[2]
"The checkout that this runner is part of, or what of it a wheel has installed."
INSTALLED = "microstage_installed"
"What the folder of an installed wheel is called (pyproject.toml)."
DOOR = "microstage" if REPOSITORY.name == INSTALLED else "make"
"What commands are typed with here."
TRACES = ".traces"


def process(words: Sequence[str], repository: Path, work: Callable[[], int | None]) -> int:
    """Return the exit code of `work`, which NAME=VALUE `words` ask for; keep the trace of a fault on their volume."""
    typed = dict(word.split("=", 1) for word in words if "=" in word)
    trace = volumes_of(typed, repository) / TRACES / f"runner-{os.getpid()}.txt"
    return ended("microstage", work, trace, "nothing half-made was published.")


def volumes_of(typed: Mapping[str, str], repository: Path) -> Path:
    """Return the folder of artefacts and environments: VOLUMES=, else MICROSTAGE_VOLUMES of the process's environment,
    else `volumes` in the checkout, or where the user stands if there is none.
    """
    chosen = typed.get("VOLUMES") or os.environ.get("MICROSTAGE_VOLUMES")
    beside = Path.cwd() if repository.name == INSTALLED else repository
    return Path(chosen or beside / "volumes").resolve()


def load(module: str) -> ModuleType:
    """Import a module of this package by its name.

    The one place where the runner imports late: the command line after signals are heard, the module of the one command
    that was asked for, the client of registries, which loads HTTP and TLS, and what an artefact's methods call. A
    finished `make` pays for none of them.
    """
    return importlib.import_module(f"microstage_runner.{module}")
