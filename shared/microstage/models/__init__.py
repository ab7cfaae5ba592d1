"""Networks: one package per family, found by `MODEL=`. docs/adding-a-model.md says what a package provides.

Standard library only, as the runner asks before any environment exists; what a stage needs of a family is its module of
the stage's own name: `microstage.models.<family>.train`, `.export`. A module of the user's own is all of these at once.
"""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path
from types import ModuleType

from microstage.errors import ParameterError
from microstage.models import user_module

__all__ = ["FEED_FORWARD", "RECURRENT", "family", "hook", "models"]

FEED_FORWARD, RECURRENT = "feed-forward", "recurrent"


def models() -> dict[str, ModuleType]:
    """Return {MODEL: package of its family}."""
    packages = [
        importlib.import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__) if found.ispkg
    ]
    return {model: package for package in packages for model in getattr(package, "MODELS", ())}


def family(model: str) -> ModuleType:
    """Return the package that `model` belongs to; `ParameterError` if there is none."""
    known = models()
    if model not in known:
        raise ParameterError(f"MODEL={model} is not a network of this checkout: expected one of {', '.join(known)}.")
    return known[model]


def hook(model: str, stage: str, module: Path | None = None) -> ModuleType:
    """Return what `stage` asks of the family of `model`.

    That is its module of the stage's name, or the user's own in folder `module`.
    """
    if module is not None:
        return user_module.load(module)
    return importlib.import_module(f"{family(model).__name__}.{stage}")
