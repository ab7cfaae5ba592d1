"""`model_def.json`: what every family's definition shares. No framework is imported here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from microstage.errors import ModelError, ParameterError
from microstage.models import family

__all__ = ["FILE", "model_of", "read"]

FILE = "model_def.json"


def read(folder: Path) -> dict[str, Any]:
    """The file as written; `ModelError` for one that is missing or no definition."""
    try:
        described = json.loads((folder / FILE).read_text())
    except (OSError, ValueError) as error:
        raise ModelError(f"{folder / FILE} is no definition of a network: {error}.") from None
    if not isinstance(described, dict) or not isinstance(described.get("parameters"), dict):
        raise ModelError(f"{folder / FILE} is no definition of a network: expected `model` and `parameters`.")
    return described


def model_of(folder: Path) -> str:
    """Which MODEL the file describes; `ModelError` for one that this checkout does not have."""
    model = read(folder).get("model")
    try:
        family(model)
    except ParameterError:
        raise ModelError(f"{folder / FILE} describes {model}, which is not a network of this checkout.") from None
    return model
