"""One run of a stage under given conditions, in folders of its own, published nowhere."""

from __future__ import annotations

import copy
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from microstage.errors import StageFailed
from microstage_runner.artefacts.inputs import opened
from microstage_runner.artefacts.pinned_environment import stage_environment
from microstage_runner.engines import users
from microstage_runner.engines.containers import DockerBackend, container_name, run_container
from microstage_runner.engines.images import Image
from microstage_runner.engines.local import Environments, LocalBackend
from microstage_runner.engines.stage_run import StageRun
from microstage_runner.pipeline.step import Step
from microstage_runner.reproduce.conditions import HERE, Conditions, container_options, local_launcher

__all__ = ["BuiltImage", "run_under"]


@dataclass(frozen=True)
class BuiltImage:
    """An image of a stage that was built anew, beside the one that the backend takes."""

    backend: DockerBackend
    image: Image


def run_under(conditions: Conditions, subject: LocalBackend | BuiltImage, step: Step, place: Path) -> None:
    """Run the stage into `place`/out; a stage that fails is `StageFailed`."""
    name = "the second time, elsewhere" if conditions is not HERE else "the first time"
    backend = subject.backend if isinstance(subject, BuiltImage) else subject
    print(f"{step.stage.name}: running {name} ({backend.name}, key {step.about['key'][:16]})", flush=True)
    began = time.monotonic()
    for folder in (place / "out", place / "scratch"):
        folder.mkdir(parents=True)
        if conditions.user is not None:
            os.chown(folder, conditions.user, conditions.user)
    with opened(step.inputs, f"{step.stage.name} ran") as folders, conditions.around():
        if isinstance(subject, BuiltImage):
            code = _in_container(subject, step, place, conditions, folders)
        else:
            code = _locally(subject, step, place, conditions, folders)
    if code:
        raise StageFailed(f"{step.stage.name} ended with code {code} when it ran {name}; its message is above.", code)
    print(f"{step.stage.name}: done in {time.monotonic() - began:.1f} s", flush=True)


class _Launched(Environments):
    """Environments whose interpreters start under conditions, by programs in the folder `launchers`."""

    def __init__(self, environments: Environments, conditions: Conditions, launchers: Path) -> None:
        super().__init__(environments.folder, environments.environment)
        self.conditions, self.launchers = conditions, launchers

    def ensure(self, version: str, lock: Path) -> Path:
        return local_launcher(self.conditions, super().ensure(version, lock), self.launchers)


def _locally(
    backend: LocalBackend, step: Step, place: Path, conditions: Conditions, folders: Mapping[str, Path]
) -> int:
    """Return the exit code of the stage; elsewhere, its inputs have other paths too, as its sources have in any scratch
    folder.
    """
    backend, inputs = copy.copy(backend), dict(folders)
    backend.environments = _Launched(backend.environments, conditions, place / "bin")
    if conditions is not HERE:
        (place / "in").mkdir()
        for name, folder in folders.items():
            inputs[name] = place / "in" / name
            inputs[name].symlink_to(folder)
    return backend.run(_wanted(step, place, inputs))


def _in_container(
    built: BuiltImage, step: Step, place: Path, conditions: Conditions, folders: Mapping[str, Path]
) -> int:
    """Return the exit code of the stage in the image that was built anew."""
    backend, wanted = built.backend, _wanted(step, place, folders)
    options, before = container_options(conditions, wanted.package)
    arguments = [*before, *wanted.in_container().words]
    user = users.of_stages(backend.volumes) if conditions.user is None else (conditions.user, conditions.user)
    users.assert_readable(folders.values(), user)
    with users.lent([wanted.output, wanted.scratch], user, backend.volumes):
        name, environment = container_name(step.stage.name, wanted.output), stage_environment(Path("/scratch"))
        engine, tag = backend.images.engine(), built.image.tag
        return run_container(engine, tag, name, user, wanted.mounts, environment, arguments, options)


def _wanted(step: Step, place: Path, inputs: Mapping[str, Path]) -> StageRun:
    """Return what is run: the step, into folders of `place`."""
    return StageRun(step.stage, inputs, step.about["parameters"], place / "out", place / "scratch")
