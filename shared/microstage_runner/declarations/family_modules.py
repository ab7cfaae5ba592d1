"""Modules that the family of a network may have beside those that stages ask for: `report`, `accuracy`, `binfiles`,
`methods`.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from microstage import models
from microstage.models import report

__all__ = ["family_module", "report_of"]


def family_module(model: str, name: str) -> str | None:
    """Return the dotted name of the module `name` of the family of `model`; None where there is none."""
    package = models.models().get(model)
    where = package and f"{package.__name__}.{name}"
    return where if where and importlib.util.find_spec(where) else None


def report_of(parameters: Mapping[str, Any]) -> ModuleType:
    """Return the module that tells of a network of these parameters: the one of its family, or
    the one that all share.
    """
    own = family_module(parameters.get("model", ""), "report")
    return importlib.import_module(own) if own else report
