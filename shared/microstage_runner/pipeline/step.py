"""One stage of a pipeline, with what its key is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from microstage_runner.artefacts.artefact import Artefact
from microstage_runner.artefacts.inputs import Input
from microstage_runner.declarations.stages import Stage

__all__ = ["PublishedStep", "Step"]


@dataclass(frozen=True)
class Step:
    """One stage of a pipeline. `about` is what the key is made of, and the key."""

    stage: Stage
    about: dict[str, Any]
    inputs: dict[str, Input]

    def published(self, artefact: Artefact) -> PublishedStep:
        """Return the step with the artefact of its key."""
        return PublishedStep(self.stage, self.about, self.inputs, artefact)


@dataclass(frozen=True)
class PublishedStep(Step):
    """A step whose artefact is there."""

    artefact: Artefact
