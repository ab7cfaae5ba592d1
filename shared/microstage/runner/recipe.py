"""A stage's recipe: everything that can change its bytes besides parameters and inputs.

The Dockerfile, the lock, the stage's sources, the module that the stage asks for of the chosen model's family, the
modules of `shared/` that these import (transitively, found in their syntax trees, so that an edit of one stage's helpers
reruns that stage alone), the environment variables that arithmetic depends on, and the CPython and libc versions.
"""

from __future__ import annotations

import ast
import json
import os
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from microstage.canonical import canonical_json, digest, file_digest
from microstage.runner.declarations import MODULE, Stage
from microstage.runner.environment import PINNED
from microstage.runner.families import hook_files

__all__ = ["Digests", "key_of", "recipe"]

_PACKAGE = "microstage"
_SETTLED_NS = 2_000_000_000


class Digests:
    """SHA-256 of files and their imports, remembered by (size, time, inode) so that a no-op reads no file twice."""

    def __init__(self, memory: Path) -> None:
        self._memory = memory
        self._dirty = False
        try:
            known = json.loads(memory.read_text())
            self._files, self._imports = known["files"], known["imports"]
        except (OSError, ValueError, KeyError):
            self._files, self._imports = {}, {}

    def of(self, path: Path) -> str:
        """SHA-256 of the file; a file younger than two seconds is always read (its time stamp may not tell)."""
        stat = path.stat()
        mark = [stat.st_size, stat.st_mtime_ns, stat.st_ino]
        known = self._files.get(str(path))
        if known and known[:3] == mark:
            return known[3]
        found = file_digest(path)
        if time.time_ns() - stat.st_mtime_ns > _SETTLED_NS:
            self._files[str(path)] = [*mark, found]
            self._dirty = True
        return found

    def imports(self, path: Path) -> list[str]:
        """The dotted names under `microstage` that a Python file imports, anywhere in it."""
        sha = self.of(path)
        if sha not in self._imports:
            self._imports[sha] = sorted(_imported(path.read_text()))
            self._dirty = True
        return self._imports[sha]

    def of_files(self, root: Path, files: Iterable[Path]) -> dict[str, str]:
        """{path relative to root: SHA-256}."""
        return {path.relative_to(root).as_posix(): self.of(path) for path in sorted(files)}

    def save(self) -> None:
        """Keep what was learnt; losing this file costs time alone."""
        if self._dirty:
            self._memory.parent.mkdir(parents=True, exist_ok=True)
            beside = self._memory.with_suffix(f".{os.getpid()}")
            beside.write_bytes(canonical_json({"files": self._files, "imports": self._imports}))
            beside.replace(self._memory)


def recipe(stage: Stage, repository: Path, platform: dict[str, str], digests: Digests, model: str | None = None, module: Path | None = None) -> dict:
    """{"files": {path: SHA-256}, "environment", "python", "libc", "digest"} of the stage, and "model" if it asks for the model's own code.

    The code of a network of the user's own, the file `module`, is an input; what it imports from here is part of the recipe.
    """
    own = [stage.folder / "Dockerfile", stage.folder / "requirements.lock"]
    sources = [p for p in (stage.folder / f"microstage_{stage.name}").rglob("*") if _is_source(p)]
    module = module if MODULE in stage.inputs.values() else None
    hooks = hook_files(model, stage.name, repository / "shared")
    shared = _closure([p for p in [*sources, *hooks, *([module] if module else [])] if p.suffix == ".py"], repository / "shared", digests)
    files = digests.of_files(repository, {*(p for p in own if p.exists()), *sources, *hooks, *shared})
    body = {"files": files, "environment": digest(PINNED), **platform, **({"model": model} if hooks else {})}
    return {**body, "digest": digest(body)}


def key_of(about: Mapping[str, Any]) -> str:
    """The key of {"stage", "recipe", "parameters", "inputs"}: equal keys give equal bytes."""
    made_of = {name: about[name] for name in ("stage", "parameters", "inputs")}
    return digest({**made_of, "recipe": about["recipe"]["digest"]})


def _closure(roots: list[Path], shared: Path, digests: Digests) -> list[Path]:
    found: set[Path] = set()
    queue = list(roots)
    while queue:
        for name in digests.imports(queue.pop()):
            for path in _module_files(shared, name):
                if path not in found:
                    found.add(path)
                    queue.append(path)
    return sorted(found)


def _module_files(shared: Path, dotted: str) -> list[Path]:
    """The file of a module and the `__init__.py` of every package around it; attributes resolve to their module."""
    files, folder = [], shared
    for part in dotted.split("."):
        folder = folder / part
        for candidate in (folder / "__init__.py", folder.with_suffix(".py")):
            if candidate.is_file():
                files.append(candidate)
    if folder.is_dir() and folder.name != _PACKAGE:
        files += [path for path in folder.iterdir() if path.is_file() and path.suffix not in (".py", ".pyc")]
    return files


def _imported(source: str) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return {name for name in names if name.split(".")[0] == _PACKAGE}


def _is_source(path: Path) -> bool:
    return path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyc"
