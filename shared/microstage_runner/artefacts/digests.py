"""SHA-256 of files and what they import: remembered from one command to the next, or read anew."""

from __future__ import annotations

import ast
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path

from microstage.errors import MicrostageError
from microstage.files.canonical import file_digest
from microstage_runner.artefacts import notes
from microstage_runner.artefacts.places import clear

__all__ = ["Digests", "remembered"]

_PACKAGE = "microstage"
_SETTLED_NS = 2_000_000_000
_parsed_here: dict[str, list[str]] = {}
"What files import that this process has parsed itself, by their SHA-256: true for whoever asks, with a memory or not."


class Digests:
    """SHA-256 of files and their imports.

    With a `memory`, a file whose mark (size, time of its bytes, time of its entry) is the remembered one is not read
    again: a program can set the first time back, the second it cannot. Without one, every file is read, once.
    """

    def __init__(self, memory: Path | None = None) -> None:
        self._memory, self._dirty = memory, False
        self._files, self._imports = _remembered(memory) if memory else ({}, {})

    def of(self, path: Path) -> str:
        """Return the SHA-256 of the file; one younger than two seconds is not remembered (its time stamps may not
        tell).
        """
        known = self._files.get(str(path))
        if known and self._memory is None:
            return known[-1]
        mark = _mark(path)
        if isinstance(known, list) and known[:-1] == mark and isinstance(known[-1], str):
            return known[-1]
        found = file_digest(path)
        if self._memory is None or time.time_ns() - max(mark[1:]) > _SETTLED_NS:
            self._files[str(path)] = [*mark, found]
            self._dirty = True
        return found

    def imports(self, path: Path) -> list[str]:
        """Return the dotted names under `microstage` that a Python file imports, anywhere in it."""
        sha = self.of(path)
        known = self._imports.get(sha)
        if not isinstance(known, list) or not all(isinstance(name, str) for name in known):
            if sha not in _parsed_here:
                _parsed_here[sha] = sorted(_imported(path))
            known = self._imports[sha] = _parsed_here[sha]
            self._dirty = True
        return known

    def of_files(self, root: Path, files: Iterable[Path]) -> dict[str, str]:
        """Return {path relative to root: SHA-256}."""
        return {path.relative_to(root).as_posix(): self.of(path) for path in sorted(files)}

    def written(self) -> str | None:
        """Return the first of its files that has been written to since it was read; nothing is read again."""
        return next((path for path, seen in self._files.items() if not _has_mark(Path(path), seen[:-1])), None)

    def changed(self, later: Digests) -> str | None:
        """Return the first of its files that has been written to since it was read, or in which `later` finds other
        bytes.
        """
        other = (path for path, seen in self._files.items() if later.of(Path(path)) != seen[-1])
        return self.written() or next(other, None)

    def save(self) -> None:
        """Keep what was learnt; losing this file costs time alone."""
        if self._memory and self._dirty:
            with suppress(OSError):  # a full disk, or another user's: it stops nobody
                notes.write(self._memory, {"files": self._files, "imports": self._imports})

    def forget(self) -> None:
        """Let go of what was remembered, which proved untrue."""
        if self._memory:
            clear(self._memory)
        self._files, self._imports = {}, {}


@cache
def remembered(memory: Path) -> Digests:
    """Return the digests that this process remembers under `memory`, however many runs ask for them."""
    return Digests(memory)


def _mark(path: Path) -> list[int]:
    stat = path.stat()
    return [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns]


def _has_mark(path: Path, mark: list[int]) -> bool:
    try:
        return _mark(path) == mark
    except OSError:
        return False


def _remembered(memory: Path) -> tuple[dict, dict]:
    return notes.read(memory, lambda known: ({**known["files"]}, {**known["imports"]})) or ({}, {})


def _imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in _statements(_parsed(path).body):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return {name for name in names if name.split(".")[0] == _PACKAGE}


def _statements(body: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """Yield every statement at any depth; expressions, which hold no import, are most of a tree and are left out."""
    for node in body:
        yield node
        for block in ("body", "orelse", "finalbody", "handlers", "cases"):
            yield from _statements(getattr(node, block, ()))


def _parsed(path: Path) -> ast.Module:
    try:
        return ast.parse(path.read_bytes())
    except (SyntaxError, ValueError) as error:
        raise MicrostageError(f"{path} is not Python, so nothing can run from it: {error}.") from None
