"""What a backend is asked to run: a stage, or another module in the stage's environment, with its folders."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from microstage_runner.declarations.stages import Stage

__all__ = ["Mounts", "StageRun"]

Mounts = Mapping[Path, tuple[Path, bool]]
"{folder in a container: (folder of this machine, whether it is read-only)}"


@dataclass(frozen=True)
class StageRun:
    """`stage` on `inputs` {name: folder} and `parameters` into `output`; `scratch` outlives a run that is cut off.

    With a `module`, that is run in the environment of the stage, in place of the stage's own package.
    """

    stage: Stage
    inputs: Mapping[str, Path]
    parameters: Mapping[str, Any]
    output: Path
    scratch: Path
    module: str = ""

    @property
    def package(self) -> str:
        """The package or module that is run."""
        return self.module or f"microstage_{self.stage.name}"

    @property
    def words(self) -> list[str]:
        """What follows `python -m` and the package on the command line."""
        words = [word for key in sorted(self.inputs) for word in ("--in", f"{key}={self.inputs[key]}")]
        for key in sorted(self.parameters):
            words += ["--set", f"{key}={json.dumps(self.parameters[key])}"]
        return [*words, "--out", str(self.output), "--scratch", str(self.scratch)]

    @property
    def mounts(self) -> Mounts:
        """Where a container has the folders: its inputs, which it may not write, its output and its scratch folder."""
        inside = self.in_container()
        inputs = {inside.inputs[name]: (folder, True) for name, folder in self.inputs.items()}
        return {**inputs, inside.output: (self.output, False), inside.scratch: (self.scratch, False)}

    def in_container(self) -> StageRun:
        """Return the same run as a container sees it, in which every folder has a fixed place."""
        inputs = {name: Path("/in") / name for name in self.inputs}
        return replace(self, inputs=inputs, output=Path("/out"), scratch=Path("/scratch"))
