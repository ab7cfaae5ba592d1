"""What a backend is asked to run of a user's own: a script, in the environment of a stage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from microstage_runner.declarations.stages import Stage

__all__ = ["ScriptRun"]


@dataclass(frozen=True)
class ScriptRun:
    """`script` with `arguments`, in its own folder, where it may write; `scratch` is gone afterwards."""

    stage: Stage
    script: Path
    arguments: Sequence[str]
    scratch: Path

    @property
    def folder(self) -> Path:
        return self.script.parent
