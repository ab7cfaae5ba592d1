"""A stage's recipe: everything that can change its bytes besides parameters and inputs.

The Dockerfile, the lock, the program that takes out of an environment what no stage loads, the stage's sources, the
module that the stage asks for of the chosen model's family, the modules of `shared/` that these import (transitively,
found in their syntax trees, so that an edit of one stage's helpers reruns that stage alone), the environment variables
that arithmetic depends on, and the CPython and libc versions.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
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
    found: set[str] = set()
    looked_up: set[str] = set()
    modules, queue = _Modules(shared), list(map(str, roots))
    while queue:
        names = set(digests.imports(Path(queue.pop()))) - looked_up
        looked_up |= names
        new = {file for name in names for file in modules.files(name)} - found
        found |= new
        queue += [file for file in new if file.endswith(".py")]
    return sorted(map(Path, found))


class _Modules:
    """The modules of `shared`, each of whose folders is looked into once."""

    def __init__(self, shared: Path) -> None:
        self._shared = str(shared)
        self._held: dict[str, dict[str, bool]] = {}

    def files(self, dotted: str) -> Iterator[str]:
        """Yield the file of a module, the `__init__.py` of every package around it, and the data of the innermost one;
        attributes resolve to their module.
        """
        folder = package = self._shared
        for part in dotted.split("."):
            if self._in(folder).get(f"{part}.py"):
                yield f"{folder}/{part}.py"
            package = f"{folder}/{part}" if self._in(folder).get(part) is False else package
            folder = f"{folder}/{part}"
            if self._in(folder).get("__init__.py"):
                yield f"{folder}/__init__.py"
        if package != f"{self._shared}/{_PACKAGE}":
            held = self._in(package).items()
            yield from (f"{package}/{name}" for name, is_file in held if is_file and not name.endswith((".py", ".pyc")))

    def _in(self, folder: str) -> dict[str, bool]:
        """Return {name: whether it is a file, not a folder} of what lies in a folder; of what is none, nothing."""
        if folder not in self._held:
            with suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as entries:
                kinds = [(entry.name, entry.is_file(), entry.is_dir()) for entry in entries]
                self._held[folder] = {name: is_file for name, is_file, is_folder in kinds if is_file or is_folder}
        return self._held.setdefault(folder, {})


def _is_source(path: Path) -> bool:
    return path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyc"
