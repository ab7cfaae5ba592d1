"""`model_def.json`: what every family's definition shares. No framework is imported here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from microstage.canonical import write_json
from microstage.errors import ModelError, ParameterError
from microstage.models import family

__all__ = ["FILE", "REPLAYED", "Definition", "model_of", "read"]

FILE, REPLAYED = "model_def.json", "test.npz"


def read(folder: Path) -> dict[str, Any]:
    """The file as written; `ModelError` for one that is missing or no definition."""
    try:
        described = json.loads((folder / FILE).read_text())
    except (OSError, ValueError) as error:
        raise ModelError(f"{folder / FILE} is no definition of a network: {error}.") from None
    if not isinstance(described, dict) or not isinstance(described.get("parameters"), dict):
        raise ModelError(f"{folder / FILE} is no definition of a network: expected `model` and `parameters`.")
    return described


@dataclass(frozen=True)
class Definition:
    """A network that its parameters define. `about` may have `classes`, `units` and `inputs` (docs/adding-a-model.md)."""

    parameters: Mapping[str, Any]
    about: Mapping[str, Any]

    def save(self, folder: Path) -> None:
        """Write `model_def.json`."""
        own = dict(self.parameters)
        write_json(folder / FILE, {"model": own.pop("model"), "parameters": own, **self.about})


def model_of(folder: Path, module: Path | None = None) -> str:
    """Which MODEL the file describes; `ModelError` for one that neither this checkout nor the user's `module` has."""
    model = read(folder).get("model")
    if module is not None:
        return model
    try:
        family(model)
    except ParameterError:
        raise ModelError(f"{folder / FILE} describes {model}, which is not a network of this checkout.") from None
    return model
