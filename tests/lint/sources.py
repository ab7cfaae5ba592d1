"""Read the Python sources of `shared/` and `stages/` as modules, classes and imports.

Run as a program it prints the sizes: `python3 tests/lint/sources.py [checkout]`.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
_FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True)
class Module:
    """One source file and the name by which it is imported."""

    name: str
    path: Path
    tree: ast.Module


@dataclass(frozen=True)
class Import:
    """`importer` imports `imported`, inside a function if `lazy`."""

    importer: str
    imported: str
    lazy: bool


def modules(repository: Path = REPOSITORY) -> dict[str, Module]:
    """Return every module of `shared/` and of the stages by its name."""
    found = {}
    for base in (repository / "shared", *sorted((repository / "stages").iterdir())):
        for path in sorted(base.rglob("*.py")):
            name = ".".join(path.relative_to(base).with_suffix("").parts).removesuffix(".__init__")
            found[name] = Module(name, path, ast.parse(path.read_text(encoding="utf-8")))
    return found


def imports(known: dict[str, Module]) -> Iterator[Import]:
    """Yield every import of a module of ours by another one.

    To import `a.b.c` runs `a` and `a.b` first. They count as imported too, unless the importer lies inside them.
    """
    for module in known.values():
        for statement, lazy in _statements(module.tree):
            for name in _imported(statement, known):
                for part in _with_packages(name, module.name):
                    if part in known and part != module.name:
                        yield Import(module.name, part, lazy)


def circles(known: dict[str, Module]) -> list[list[str]]:
    """Return the groups of modules that import each other, directly or by way of others, wherever the import stands."""
    reached = _reached(known)
    groups = {frozenset(other for other in reached[name] if name in reached[other]) for name in known}
    return sorted(sorted(group) for group in groups if len(group) > 1)


def classes(known: dict[str, Module]) -> Iterator[tuple[str, str]]:
    """Yield (class, module) of every class."""
    for module in known.values():
        for node in ast.walk(module.tree):
            if isinstance(node, ast.ClassDef):
                yield node.name, module.name


def _statements(node: ast.AST, lazy: bool = False) -> Iterator[tuple[ast.Import | ast.ImportFrom, bool]]:
    """Yield each import statement below `node`, and whether it stands in a function; those for types alone are none."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.Import, ast.ImportFrom)):
            yield child, lazy
        elif not (isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)):
            yield from _statements(child, lazy or isinstance(child, _FUNCTION))


def _imported(statement: ast.Import | ast.ImportFrom, known: dict[str, Module]) -> Iterator[str]:
    """Yield the modules that a statement names: `from a import b` names `a.b` if that is one, else `a`."""
    for alias in statement.names:
        if isinstance(statement, ast.Import):
            yield alias.name
        else:
            inside = f"{statement.module}.{alias.name}"
            yield inside if inside in known else statement.module or ""


def _with_packages(name: str, importer: str) -> Iterator[str]:
    """Yield `name` and the packages around it that do not hold `importer`."""
    while name:
        yield name
        name = name.rpartition(".")[0]
        if name == importer or importer.startswith(f"{name}."):
            return


def _reached(known: dict[str, Module]) -> dict[str, set[str]]:
    """Return {module: all modules that importing it runs}."""
    direct: dict[str, set[str]] = {name: set() for name in known}
    for found in imports(known):
        direct[found.importer].add(found.imported)
    reached = {}
    for name in known:
        seen, waiting = set(), [name]
        while waiting:
            for other in direct[waiting.pop()] - seen:
                seen.add(other)
                waiting.append(other)
        reached[name] = seen
    return reached


def _share(values: list[int], share: float) -> int:
    return sorted(values)[int(len(values) * share)]


def main(repository: Path) -> None:
    """Print how many modules, circles and lazy imports there are, and the lines of files and functions."""
    known = modules(repository)
    files = [module.path.read_text(encoding="utf-8").count("\n") for module in known.values()]
    functions = [
        (node.end_lineno or node.lineno) - node.lineno + 1
        for module in known.values()
        for node in ast.walk(module.tree)
        if isinstance(node, _FUNCTION)
    ]
    lazy = {(found.importer, found.imported) for found in imports(known) if found.lazy}
    print(f"{len(known)} modules, {len(circles(known))} import circles, {len(lazy)} imports inside a function")
    for what, lines in (("file", files), ("function", functions)):
        print(f"lines of a {what}: median {_share(lines, 0.5)}, 9 of 10 below {_share(lines, 0.9)}, most {max(lines)}")
    for group in circles(known):
        print("circle:", ", ".join(group))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else REPOSITORY)
