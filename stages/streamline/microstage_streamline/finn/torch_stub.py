"""Stand in for torch, which FINN imports but the estimates never use."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import sys
import types
from typing import Any

__all__ = ["provide"]


def provide() -> None:
    """Register an empty `torch`, which FINN's layer norm alone would use, unless the real one is there.

    Not a fake of any result: a network with a layer norm fails on it with an AttributeError.
    """
    if "torch" in sys.modules or importlib.util.find_spec("torch"):
        return
    functional = _module("torch.nn.functional")
    nn = _module("torch.nn", Module=type("Module", (), {}), functional=functional)
    _module("torch", Tensor=type("Tensor", (), {}), nn=nn)


def _module(name: str, **contents: Any) -> types.ModuleType:
    module = types.ModuleType(name)
    vars(module).update(contents)
    module.__spec__ = importlib.machinery.ModuleSpec(name, None)
    sys.modules[name] = module
    return module
