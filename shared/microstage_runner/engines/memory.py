"""How much memory a stage may take: what MEMORY= says, or what the engine's machine has, less a reserve.

A container gets no swap on top of it. In a local environment it limits what each process allocates (RLIMIT_DATA), and
only where MEMORY= was typed: address space, which libraries reserve and do not use, is not counted.
"""

from __future__ import annotations

import os
import re
import resource
from typing import TYPE_CHECKING

from microstage.errors import EnvironmentProblem, ParameterError

if TYPE_CHECKING:
    from microstage_runner.engines.engine import Engine

__all__ = ["choose", "hold", "limit_of_container", "limit_of_process", "options", "shown"]

_LEAST = 64 << 20
_UNITS = {"m": 20, "g": 30}
_typed: str | None = None


def choose(typed: str | None) -> None:
    """Take MEMORY=`typed` from now on, None for the machine's own; `ParameterError` for what is no amount of memory."""
    global _typed
    if typed is not None and _bytes(typed) < _LEAST:
        raise ParameterError(f"MEMORY={typed} is too little for any stage: expected {shown(_LEAST)} or more.")
    _typed = typed


def options(engine: Engine) -> list[str]:
    """Return options of `docker run` that hold a container to its limit, swap included."""
    limit = limit_of_container(engine)
    return [f"--memory={limit}", f"--memory-swap={limit}"]


def limit_of_container(engine: Engine) -> int:
    """Return how many bytes a container may take: by default all that the engine's machine has but an eighth."""
    said = engine.run("info", "--format", "{{.MemTotal}}")
    if not said.isdigit():
        raise EnvironmentProblem(f"The engine does not say how much memory its machine has, but {said!r}.")
    return _checked(int(said), "the engine's machine") or int(said) * 7 // 8


def limit_of_process() -> int | None:
    """Return how many bytes a process of a local environment may allocate; None for as many as there are."""
    return _checked(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"), "this machine")


def hold(limit: int | None) -> None:
    """Hold this process and its children to `limit`."""
    if limit is not None:
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def shown(limit: int) -> str:
    """Return bytes as MEMORY= has them, in whole mebibytes."""
    return f"{limit >> 20}m"


def _checked(machine: int, name: str) -> int | None:
    if _typed is not None and _bytes(_typed) > machine:
        raise ParameterError(f"MEMORY={_typed} is more than {name} has: expected {shown(machine)} or less.")
    return None if _typed is None else _bytes(_typed)


def _bytes(text: str) -> int:
    found = re.fullmatch(r"([0-9]{1,9})([mg])", text.strip().lower())
    if not found:
        raise ParameterError(
            f"MEMORY={text} is no amount of memory: expected a whole number with m or g, as 512m or 4g."
        )
    return int(found[1]) << _UNITS[found[2]]
