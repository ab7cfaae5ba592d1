"""One stage of a pipeline, with what its key is made of."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
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

    @property
    def output(self) -> Input:
        """What a later step reads: nothing yet, but the key stands for it, so that the later step has a key too."""
        return Input(Path(), {"key": self.about["key"]}, list, "it was planned", "make it first")

    def published(self, artefact: Artefact) -> PublishedStep:
        """Return the step with the artefact of its key."""
        return PublishedStep(self.stage, self.about, self.inputs, artefact)


@dataclass(frozen=True)
class PublishedStep(Step):
    """A step whose artefact is there."""

    artefact: Artefact

    @property
    def output(self) -> Input:
        """What a later step reads: the artefact."""
        return self.artefact.input
