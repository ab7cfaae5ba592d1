"""A stage's recipe: everything that can change its bytes besides parameters and inputs.

The Dockerfile, the lock, the program that takes out of an environment what no stage loads, the stage's sources, the
module that the stage asks for of the chosen model's family, the modules of `shared/` that these import (transitively,
found in their syntax trees, so that an edit of one stage's helpers reruns that stage alone), the environment variables
that arithmetic depends on, and the CPython and libc versions.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from microstage.errors import IntegrityError
from microstage.files.canonical import digest
from microstage_runner.artefacts.digests import Digests
from microstage_runner.artefacts.pinned_environment import PINNED
from microstage_runner.declarations.model_parameters import hook_files
from microstage_runner.declarations.stages import MODULE, Stage

__all__ = ["assert_unchanged", "key_of", "recipe"]

_PACKAGE = "microstage"


def recipe(
    stage: Stage,
    repository: Path,
    platform: dict[str, str],
    digests: Digests,
    model: str = "",
    module: Path | None = None,
) -> dict:
    """Return {"files": {path: SHA-256}, "environment", "python", "libc", "digest"} of the stage, and "model" if it asks
    for the model's own code.

    The code of a network of the user's own, the file `module`, is an input; what it imports from here is part of the
    recipe.
    """
    own = [stage.folder / "Dockerfile", stage.folder / "requirements.lock", repository / "shared/microstage/slim.py"]
    sources = [p for p in (stage.folder / f"microstage_{stage.name}").rglob("*") if _is_source(p)]
    module = module if MODULE in stage.inputs.values() else None
    hooks = hook_files(model, stage.name, repository / "shared")
    shared = _closure(
        [p for p in [*sources, *hooks, *([module] if module else [])] if p.suffix == ".py"],
        repository / "shared",
        digests,
    )
    files = digests.of_files(repository, {*(p for p in own if p.exists()), *sources, *hooks, *shared})
    body = {"files": files, "environment": digest(PINNED), **platform, **({"model": model} if hooks else {})}
    return {**body, "digest": digest(body)}


def assert_unchanged(
    was: Mapping[str, Any], stage: Stage, repository: Path, digests: Digests, module: Path | None
) -> None:
    """Raise `IntegrityError` if the stage's recipe, made anew where its Python and libc are
    those of `was`, is another.
    """
    now = recipe(
        stage, repository, {name: was[name] for name in ("python", "libc")}, digests, was.get("model", ""), module
    )
    names = sorted(now["files"].keys() | was["files"].keys())
    different = (name for name in names if now["files"].get(name) != was["files"].get(name))
    if now != was:
        place = repository / next(different, "shared")
        raise IntegrityError(f"{place} is not what the key of {stage.name} was made of: run the same command again.")


def key_of(about: Mapping[str, Any]) -> str:
    """Return the key of {"stage", "recipe", "parameters", "inputs"}: equal keys give equal bytes."""
    made_of = {name: about[name] for name in ("stage", "parameters", "inputs")}
    return digest({**made_of, "recipe": about["recipe"]["digest"]})


def _closure(roots: list[Path], shared: Path, digests: Digests) -> list[Path]:
    found: set[Path] = set()
    looked_up: set[str] = set()
    queue = list(roots)
    while queue:
        names = set(digests.imports(queue.pop())) - looked_up
        looked_up |= names
        new = {path for name in names for path in _module_files(shared, name)} - found
        found |= new
        queue += [path for path in new if path.suffix == ".py"]
    return sorted(found)


def _module_files(shared: Path, dotted: str) -> list[Path]:
    """Return the file of a module, the `__init__.py` of every package around it, and the data of the innermost one;
    attributes resolve to their module.
    """
    files, folder, package = [], shared, shared
    for part in dotted.split("."):
        folder = folder / part
        package = folder if folder.is_dir() else package
        for candidate in (folder / "__init__.py", folder.with_suffix(".py")):
            if candidate.is_file():
                files.append(candidate)
    if package.name != _PACKAGE:
        files += [path for path in package.iterdir() if path.is_file() and path.suffix not in (".py", ".pyc")]
    return files


def _is_source(path: Path) -> bool:
    return path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyc"
