"""Where stages run: in containers, or in one hash-locked virtual environment per stage."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from microstage.errors import ParameterError
from microstage.runner.declarations import Stage

__all__ = ["Backend", "choose"]


class Backend(Protocol):
    """Makes a stage's environment when it is missing, and runs the stage in it."""

    name: str

    def platform(self, stage: Stage) -> dict[str, str]:
        """{"python": "3.10.13", "libc": "glibc 2.36"} inside the stage's environment; costs no process once known."""

    def run(
        self, stage: Stage, *, inputs: Mapping[str, Path], parameters: Mapping[str, Any], output: Path, scratch: Path, module: str = ""
    ) -> int:
        """The exit code of the stage, or of `module` in its environment; nothing of it runs on when this returns or raises."""


def choose(wanted: str, repository: Path, volumes: Path) -> tuple[Backend, str]:
    """(backend, why) for RUNNER=docker, local or auto; auto takes containers where an engine answers."""
    from microstage.runner.local import LocalBackend

    if wanted not in ("auto", "docker", "local"):
        raise ParameterError(f"RUNNER={wanted} is not allowed: expected docker, local or auto.")
    from microstage.runner import engine

    if wanted == "local":
        return LocalBackend(repository, volumes), "as asked"
    if wanted == "auto" and not engine.answers():
        return LocalBackend(repository, volumes), "no container engine answers"
    from microstage.runner.containers import DockerBackend

    return DockerBackend(repository, volumes), "as asked" if wanted == "docker" else "a container engine answers"
