"""The checkout that the runner is part of, and every stage of it, in the order in which they run."""

from __future__ import annotations

from pathlib import Path

from microstage.errors import EnvironmentProblem
from microstage_runner.declarations.model_parameters import with_model_parameters
from microstage_runner.declarations.stages import BESIDE, DATASET, MODULE, Stage, load_stage
from microstage_runner.declarations.user_module import UserModule

__all__ = ["assert_checkout", "load_stages"]


def assert_checkout(repository: Path) -> None:
    """Raise `EnvironmentProblem` where microstage was installed without the stages that it runs."""
    if not (repository / "stages").is_dir():
        raise EnvironmentProblem(
            "microstage is installed without its stages, which lie in its checkout: run `make` there, or install it"
            " from there with `pip install --editable .`."
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
