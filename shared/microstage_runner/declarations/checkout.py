"""The checkout that the runner is part of, and every stage of it, in the order in which they run."""

from __future__ import annotations

from pathlib import Path

from microstage.errors import EnvironmentProblem
from microstage_runner.declarations.model_parameters import with_model_parameters
from microstage_runner.declarations.stages import BESIDE, DATASET, MODULE, Stage, load_stage
from microstage_runner.declarations.user_module import UserModule
from microstage_runner.process import INSTALLED

__all__ = ["assert_checkout", "load_stages"]


def assert_checkout(repository: Path, command: str) -> None:
    """Raise `EnvironmentProblem` where `command` needs more of a checkout than a wheel installs."""
    if repository.name == INSTALLED:
        raise EnvironmentProblem(
            f"`make {command}` works on the sources and tests of a checkout, which an installed microstage has not:"
            " clone the repository, and type it there."
        )


def load_stages(repository: Path, module: UserModule | None = None) -> dict[str, Stage]:
    """Return every stage of the checkout, upstream first, by name.

    Each has the parameters of every family of models, and those of the user's `module`.
    """
    plain = [load_stage(path) for path in sorted((repository / "stages").glob("*/stage.toml"))]
    stages = {
        stage.folder.name: with_model_parameters(stage, module, [other for other in plain if other is not stage])
        for stage in plain
    }
    ordered: dict[str, Stage] = {}

    def visit(name: str) -> None:
        for source in stages[name].inputs.values():
            if source not in (BESIDE, DATASET, MODULE) and source not in ordered:
                visit(source)
        ordered.setdefault(name, stages[name])

    for name in stages:
        visit(name)
    return ordered
