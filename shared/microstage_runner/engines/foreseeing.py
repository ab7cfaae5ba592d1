"""A plan in the place of a backend: what would be found is told, and nothing is made."""

from __future__ import annotations

from microstage_runner.declarations.stages import Stage
from microstage_runner.engines.backend import Backend
from microstage_runner.engines.foreseen import Foreseen
from microstage_runner.engines.script_run import ScriptRun
from microstage_runner.engines.stage_run import StageRun

__all__ = ["Foreseeing"]


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
