"""What FINN imports but the estimates never use, so that it loads without torch."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import sys
import types

__all__ = ["provide"]


def provide() -> None:
    """Register an empty `torch`, which FINN's layer norm alone would use, unless the real one is there.

    Not a fake of any result: a network with a layer norm fails on it with an AttributeError.
    """
    if "torch" in sys.modules or importlib.util.find_spec("torch"):
        return
    torch, nn, functional = (_module(name) for name in ("torch", "torch.nn", "torch.nn.functional"))
    torch.Tensor = type("Tensor", (), {})
    nn.Module = type("Module", (), {})
    torch.nn, nn.functional = nn, functional


def _module(name: str) -> types.ModuleType:
    module = types.ModuleType(name)
    module.__spec__ = importlib.machinery.ModuleSpec(name, None)
    sys.modules[name] = module
    return module
