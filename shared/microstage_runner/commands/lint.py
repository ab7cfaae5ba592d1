"""`make lint`: check the layout, the types and the habits of all code here, with tools of locked versions."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

from microstage.errors import ParameterError
from microstage_runner.commands.planned import Planned
from microstage_runner.engines.local import Environments

__all__ = ["command", "planned"]

_SEARCHED = (".ci", "docs", "shared", "stages", "tests")


def planned(typed: dict[str, str], repository: Path) -> list[Planned]:
    """Return no run: the sources are checked."""
    _chosen(_checks(repository, Path()), typed.get("ONLY", ""))
    return []


def command(typed: dict[str, str], repository: Path) -> int:
    """Run every check, or those of ONLY=; return 1 if one of them fails."""
    tools = _tools(repository)
    checks = _chosen(_fixes(tools) if typed.get("FIX") == "1" else _checks(repository, tools), typed.get("ONLY", ""))
    passed = {name: _run(name, command, repository) for name, command in checks.items()}
    print("lint: " + ", ".join(f"{name} {'passed' if good else 'FAILED'}" for name, good in passed.items()))
    return 0 if all(passed.values()) else 1


def _tools(repository: Path) -> Path:
    """Return the folder of the tools' programs; the first call installs them."""
    folder = repository / "tests" / "lint"
    version = (folder / ".python-version").read_text().strip()
    return Environments(repository / "volumes" / ".env").ensure(version, folder / "requirements.lock").parent


def _checks(repository: Path, tools: Path) -> dict[str, list[str]]:
    """Return the command of each check."""
    return {
        "format": [f"{tools}/ruff", "format", "--check", "."],
        "ruff": [f"{tools}/ruff", "check", "."],
        "mypy": [f"{tools}/mypy"],
        "shellcheck": [f"{tools}/shellcheck", *map(str, _shell_scripts(repository))],
        "hadolint": [f"{tools}/hadolint", *map(str, sorted(repository.glob("stages/*/Dockerfile")))],
    }


def _fixes(tools: Path) -> dict[str, list[str]]:
    """Return the commands that mend what can be mended without a person."""
    return {"format": [f"{tools}/ruff", "format", "."], "ruff": [f"{tools}/ruff", "check", "--fix", "."]}


def _chosen(checks: dict[str, list[str]], only: str) -> dict[str, list[str]]:
    """Return the checks named in `only`, separated by commas; all of them where it is empty."""
    names = [name for name in only.split(",") if name] or list(checks)
    for name in names:
        if name not in checks:
            raise ParameterError(f"ONLY={only}: {name} is not a check; expected some of {', '.join(checks)}.")
    return {name: checks[name] for name in names}


def _shell_scripts(repository: Path) -> Iterator[Path]:
    """Yield every file whose first line names a shell."""
    for folder in _SEARCHED:
        for path in sorted((repository / folder).rglob("*")):
            if path.is_file():
                with path.open("rb") as file:
                    first = file.readline(80)
                if first.startswith(b"#!") and first.rstrip().endswith((b"sh", b"bash")):
                    yield path


def _run(name: str, command: list[str], repository: Path) -> bool:
    """Run one check and let it print what it finds; say whether it passed."""
    print(f"lint: {name} ...", flush=True)
    return subprocess.run(command, cwd=repository, stdin=subprocess.DEVNULL).returncode == 0
