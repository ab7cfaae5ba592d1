"""Where stages run: in containers, or in one hash-locked virtual environment per stage."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from microstage.errors import ParameterError
from microstage_runner.declarations.stages import Stage
from microstage_runner.engines import engine
from microstage_runner.engines.containers import DockerBackend
from microstage_runner.engines.foreseen import Foreseen
from microstage_runner.engines.local import LocalBackend
from microstage_runner.engines.remote import RemoteBackend
from microstage_runner.engines.script_run import ScriptRun
from microstage_runner.engines.stage_run import StageRun

__all__ = ["Backend", "choose"]


class Backend(Protocol):
    """Makes a stage's environment when it is missing, and runs the stage in it."""

    name: str

    def platform(self, stage: Stage) -> dict[str, str]:
        """Return {"python": "3.10.13", "libc": "glibc 2.36"} inside the stage's environment; costs no process once
        known.
        """

    def foreseen(self, stage: Stage) -> Foreseen:
        """Return what `platform` would find or make; nothing is made."""

    def run(self, wanted: StageRun) -> int:
        """Return the exit code of the stage; nothing of it runs on when this returns or raises."""

    def run_script(self, wanted: ScriptRun) -> int:
        """Return the exit code of a script of the user's; nothing of it runs on when this returns or raises."""


class PerStage:
    """A `Backend` that runs some stages elsewhere: `elsewhere` by stage, the rest on `here`."""

    def __init__(self, here: Backend, elsewhere: Mapping[str, Backend]) -> None:
        self.here, self.elsewhere = here, elsewhere
        self.name = here.name + "".join(f", {stage} on {backend.name}" for stage, backend in elsewhere.items())

    def platform(self, stage: Stage) -> dict[str, str]:
        return self.elsewhere.get(stage.name, self.here).platform(stage)

    def foreseen(self, stage: Stage) -> Foreseen:
        return self.elsewhere.get(stage.name, self.here).foreseen(stage)

    def run(self, wanted: StageRun) -> int:
        return self.elsewhere.get(wanted.stage.name, self.here).run(wanted)

    def run_script(self, wanted: ScriptRun) -> int:
        return self.elsewhere.get(wanted.stage.name, self.here).run_script(wanted)


def choose(wanted: str, repository: Path, volumes: Path, host: str = "", stages_on: str = "") -> tuple[Backend, str]:
    """Return (backend, why) for RUNNER=docker, local or auto; HOST= or the environment's engine elsewhere;
    STAGES_ON="train=ssh://box".
    """
    if wanted not in ("auto", "docker", "local"):
        raise ParameterError(f"RUNNER={wanted} is not allowed: expected docker, local or auto.")
    if host and wanted == "local":
        raise ParameterError(f"HOST={host} needs containers: leave RUNNER=local out.")
    here, why = _here(wanted, repository, volumes, host)
    if not stages_on:
        return here, why
    hosts = _stages_on(stages_on, {path.parent.name for path in repository.glob("stages/*/stage.toml")})
    return PerStage(here, {stage: RemoteBackend(repository, volumes, url) for stage, url in hosts.items()}), why


def _here(wanted: str, repository: Path, volumes: Path, host: str) -> tuple[Backend, str]:
    if host:
        return RemoteBackend(repository, volumes, host), "as HOST says"
    if wanted == "local":
        return LocalBackend(repository, volumes), "as asked"
    if wanted == "auto" and not engine.answers():
        return LocalBackend(repository, volumes), "no container engine answers"
    if engine.is_elsewhere():
        return RemoteBackend(repository, volumes, ""), "the container engine is another machine's"
    return DockerBackend(repository, volumes), "as asked" if wanted == "docker" else "a container engine answers"


def _stages_on(text: str, stages: set[str]) -> dict[str, str]:
    """Return {stage: host} of "train=ssh://box,qcdq=context"."""
    hosts = {}
    for word in text.replace(",", " ").split():
        stage, equals, host = word.partition("=")
        if not (equals and host) or stage not in stages:
            raise ParameterError(
                f"STAGES_ON={text} is not allowed: expected STAGE=HOST,"
                f" with a stage out of {', '.join(sorted(stages))}."
            )
        hosts[stage] = host
    return hosts
