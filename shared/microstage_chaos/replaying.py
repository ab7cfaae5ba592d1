"""The runner, whose stages write again what they wrote undisturbed.

Keys, inputs, locks, sources, processes and publishing are the runner's own, and the stage is a process in the stage's
environment; only what it computes is replaced by a copy (`replayed`), so that a try takes a second and not a minute.
CHAOS_RECORDED is the volume of the undisturbed run. No page is rendered.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from microstage.errors import EnvironmentProblem
from microstage_runner.artefacts.pinned_environment import stage_environment
from microstage_runner.engines import backend, containers, local, users
from microstage_runner.engines.stage_run import StageRun
from microstage_runner.pipeline import rendering
from microstage_runner.registry import client

__all__ = ["replay"]

_REPLAYED = Path(__file__).with_name("replayed.py")
_PATIENCE = 1  # seconds that a registry gets


class Replaying(local.LocalBackend):
    """The local backend, but for what a stage computes."""

    def run(self, wanted: StageRun) -> int:
        words = ["-S", str(_REPLAYED), str(_recorded(wanted)), str(wanted.output), str(wanted.scratch)]
        return self._run(wanted.stage, words, wanted.scratch, wanted.scratch)


class ReplayingInContainers(containers.DockerBackend):
    """The backend of containers, but for what a stage computes: it sees the recorded artefact and the program."""

    def run(self, wanted: StageRun) -> int:
        image, user = self.images.ensure(wanted.stage.name, verify=True), users.of_stages(self.volumes)
        recorded, program = Path("/recorded"), Path("/replayed")
        mounts = {recorded: (_recorded(wanted), True), program: (_REPLAYED.parent, True)}
        with users.lent([wanted.output, wanted.scratch], user, self.volumes):
            return containers.run_container(
                self.images.engine(),
                image.tag,
                containers.container_name(wanted.stage.name, wanted.output),
                user,
                {**wanted.mounts, **mounts},
                {**stage_environment(Path("/scratch")), **_faults()},
                ["-S", str(program / _REPLAYED.name), str(recorded), "/out", "/scratch"],
                ("--entrypoint=python",),
            )


def _recorded(wanted: StageRun) -> Path:
    stage, _, key = wanted.output.parent.name.rpartition("-")
    recorded = Path(os.environ["CHAOS_RECORDED"]) / stage / key
    if not recorded.is_dir():
        raise EnvironmentProblem(f"{stage} {key} was not recorded: what was disturbed changed its key.")
    return recorded


def _chosen(
    wanted: str, repository: Path, volumes: Path, host: str = "", stages_on: str = ""
) -> tuple[backend.Backend, str]:
    kind = ReplayingInContainers if wanted == "docker" else Replaying
    return kind(repository, volumes), "replayed"


def replay() -> None:
    """Let the runner of this process replay its stages, and hand the shim and the faults on to them."""
    pinned = local.stage_environment
    local.stage_environment = lambda scratch: {**pinned(scratch), **_handed_on()}
    backend.choose = _chosen
    rendering.run_report = _written
    client._SECONDS = _PATIENCE


def _handed_on() -> dict[str, str]:
    """Return what stages get of this process's environment; CHAOS_ALONE keeps the shim to the runner."""
    shim = {name: value for name, value in os.environ.items() if name.startswith(("SHIM_", "LD_PRELOAD"))}
    return _faults() if "CHAOS_ALONE" in os.environ else {**_faults(), **shim}


def _faults() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith("CHAOS_")}


def _written(volumes: Path, asked: Path, facts: Path, page: Path) -> None:
    """Stand for the report: a page that holds what was asked for."""
    shutil.copy(asked, facts)
    shutil.copy(asked, page)
