"""What is known of a stage's environment before it is made: what keys hold of it, and what has to be made first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from microstage_runner.declarations.stages import Stage

if TYPE_CHECKING:
    from microstage_runner.engines.backend import Backend
    from microstage_runner.engines.script_run import ScriptRun
    from microstage_runner.engines.stage_run import StageRun

__all__ = ["Foreseeing", "Foreseen"]


@dataclass(frozen=True)
class Foreseen:
    """`platform` as `Backend.platform` has it, empty where only the environment itself can tell.

    `lacking` names the environment or image if it has to be made first; "" if it is there.
    """

    platform: Mapping[str, str]
    lacking: str = ""


class Foreseeing:
    """A `Backend` that makes and runs nothing: it says what `backend` would find."""

    def __init__(self, backend: Backend) -> None:
        self.backend, self.name = backend, backend.name

    def platform(self, stage: Stage) -> dict[str, str]:
        return dict(self.backend.foreseen(stage).platform)

    def foreseen(self, stage: Stage) -> Foreseen:
        return self.backend.foreseen(stage)

    def run(self, wanted: StageRun) -> int:
        raise AssertionError("A plan runs nothing.")

    def run_script(self, wanted: ScriptRun) -> int:
        raise AssertionError("A plan runs nothing.")
