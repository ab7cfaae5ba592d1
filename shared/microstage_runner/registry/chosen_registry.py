"""Which registry is used: that of REGISTRY=, or the environment's. Where none is, no client of registries is loaded."""

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING

from microstage.errors import EnvironmentProblem, ParameterError
from microstage_runner.process import load

if TYPE_CHECKING:
    from microstage_runner.registry.client import Registry

__all__ = ["choose", "chosen", "required"]

_VARIABLE = "MICROSTAGE_REGISTRY"
_typed: str | None = None


def choose(name: str | None) -> None:
    """Use the registry REGISTRY=`name` from now on; None is the environment's choice, "" is none."""
    global _typed
    _typed = name
    if chosen_name():
        _client(chosen_name())


def chosen_name() -> str:
    """Return what was typed, or else what the environment says; "" where no registry is used."""
    return os.environ.get(_VARIABLE, "") if _typed is None else _typed


def required() -> Registry:
    """Return the chosen registry, which answers; raise `ParameterError` if none was chosen."""
    if not chosen_name():
        raise ParameterError("REGISTRY= is missing: expected host:port/prefix, such as localhost:5000/group.")
    registry = _client(chosen_name())
    registry.ask()
    return registry


def chosen() -> Registry | None:
    """Return the chosen registry if it answers. One that does not is told of once: what it may have is made here."""
    return _answering(chosen_name()) if chosen_name() else None


@functools.cache
def _answering(name: str) -> Registry | None:
    registry = _client(name)
    try:
        registry.ask()
    except EnvironmentProblem as problem:
        print(f"registry: {problem} Nothing is pulled.", flush=True)
        return None
    return registry


def _client(name: str) -> Registry:
    return load("registry.client").Registry(name)
