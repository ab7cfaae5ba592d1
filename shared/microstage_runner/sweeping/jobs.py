"""The jobs of a sweep: one for each stage with its own parameters and inputs, however many points have it in common.

A job is a process of the runner (`sweeping.job`), which resolves its key, holds its lock and publishes as any other.
What it leaves for the jobs behind it is a stamp: a file with the artefact's path. Its output goes to a log.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from microstage_runner.commands.table import used_by_stages
from microstage_runner.declarations.stages import Stage, needed
from microstage_runner.pipeline.step import PublishedStep, Step
from microstage_runner.sweeping.points import Point

__all__ = ["SweepJob", "jobs_of", "name_of"]

PROGRAM = (sys.executable, "-m", "microstage_runner.sweeping.job")
_PACKAGES = Path(__file__).resolve().parents[2]
_OF_THE_MACHINE = ("MEMORY", "RUNNER", "VENDOR", "VOLUMES")


@dataclass(frozen=True)
class SweepJob:
    """A stage that is not published yet: `words` are the variables of one of its points, `behind` are names of jobs."""

    name: str
    stage: Stage
    title: str
    words: Sequence[str]
    behind: Sequence[str]
    folder: Path

    @property
    def stamp(self) -> Path:
        """The file that says it is done."""
        return self.folder / f"{self.name}.done"

    @property
    def log(self) -> Path:
        """The file with all that it says."""
        return self.folder / f"{self.name}.log"

    @property
    def command(self) -> list[str]:
        """What runs it, from whatever folder and on whatever machine that has these folders."""
        around = ["env", "-C", os.getcwd(), f"PYTHONPATH={_PACKAGES}"]
        return [*around, *PROGRAM, str(self.stamp), self.stage.name, *self.words]

    @property
    def shell(self) -> str:
        """The same as a line of shell, with its output in the log."""
        return f"{shlex.join(self.command)} >{shlex.quote(str(self.log))} 2>&1"

    @property
    def failure(self) -> str:
        """Why it failed, in the sentence that it ended with."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.is_file() else []
        said = [line.removeprefix("microstage: ") for line in lines if line.startswith("microstage: ")]
        return said[-1] if said else "It ended without a word." if self.log.is_file() else "It was never begun."


def jobs_of(points: Sequence[Point], folder: Path) -> dict[str, SweepJob]:
    """Return the jobs that all points need, by name, each behind those that it reads."""
    found: dict[str, SweepJob] = {}
    for point in points:
        for step in point.run.steps:
            if not (isinstance(step, PublishedStep) and point.run.session.is_signed(step)):
                found.setdefault(name_of(step), _job(point, step, found, folder))
    return found


def name_of(step: Step) -> str:
    """Return the name of the step's job."""
    return f"{step.stage.name}-{step.about['key'][:16]}"


def _job(point: Point, step: Step, known: Mapping[str, SweepJob], folder: Path) -> SweepJob:
    before = {name_of(other): other.stage.name for other in point.run.steps}
    behind = [name for name, stage in before.items() if stage in step.stage.inputs.values() and name in known]
    return SweepJob(name_of(step), step.stage, point.title, _words(point, step), behind, folder)


def _words(point: Point, step: Step) -> list[str]:
    """Return what is typed for the point, as far as the stage uses it; the folder of artefacts by its whole path."""
    reached = needed(point.run.session.stages, step.stage.name)
    declared = {parameter.variable for stage in reached for parameter in stage.parameters.values()}
    used = declared | {*used_by_stages, *_OF_THE_MACHINE}
    typed = {**point.typed, "VOLUMES": str(point.run.session.volumes)}
    return [f"{name}={value}" for name, value in sorted(typed.items()) if name in used]
