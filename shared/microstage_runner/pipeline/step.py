"""One stage of a pipeline, with what its key is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from microstage_runner.artefacts.artefact import Artefact
from microstage_runner.artefacts.inputs import Input
from microstage_runner.declarations.stages import Stage

__all__ = ["Step"]


@dataclass(frozen=True)
class Step:
    """One stage of a pipeline. `about` is what the key is made of, and the key; `artefact` is None until published."""

    stage: Stage
    about: dict[str, Any]
    inputs: dict[str, Input]
    artefact: Artefact | None
