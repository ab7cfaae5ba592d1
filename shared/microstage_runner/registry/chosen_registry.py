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


def choose(name: str | None) -> None:
    """Use the registry REGISTRY=`name` from now on; None leaves the environment's choice, "" is none."""
    if name is not None:
        os.environ[_VARIABLE] = name
    if os.environ.get(_VARIABLE):
        _client(os.environ[_VARIABLE])


def required() -> Registry:
    """Return the chosen registry, which answers; raise `ParameterError` if none was chosen."""
    if not os.environ.get(_VARIABLE):
        raise ParameterError("REGISTRY= is missing: expected host:port/prefix, such as localhost:5000/group.")
    registry = _client(os.environ[_VARIABLE])
    registry.ask()
    return registry


def chosen() -> Registry | None:
    """Return the chosen registry if it answers. One that does not is told of once: what it may have is made here."""
    name = os.environ.get(_VARIABLE)
    return _answering(name) if name else None


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
