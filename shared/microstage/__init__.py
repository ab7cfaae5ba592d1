"""microstage: what every stage and the runner share. Importing it imports nothing heavy.

Public names are `compile` and `Artefact`. They are the runner's (`microstage_runner.api`), and there where that package
is installed beside this one: in a checkout or by `pip install --editable .`. The images of the stages hold no runner.
"""

from __future__ import annotations

import importlib
from typing import Any

__all__ = ["Artefact", "compile"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'microstage' has no attribute {name!r}")
    # By its name as text: an import statement would make the whole runner part of every stage's recipe.
    return getattr(importlib.import_module("microstage_runner.api"), name)
