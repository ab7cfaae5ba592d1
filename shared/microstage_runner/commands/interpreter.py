"""`make interpreter`: compile microstage-run, which infers with network files; all instruction sets are in it."""

from __future__ import annotations

import subprocess
from pathlib import Path

from microstage.errors import EnvironmentProblem, MicrostageError
from microstage_runner.session import Session

__all__ = ["command"]

_FLAGS = ("-std=c99", "-pedantic", "-O3", "-Wall", "-Wextra")


def command(session: Session) -> None:
    """Compile it with CC=, gcc by default, into the folder bin of VOLUMES=."""
    package = session.repository / "stages" / "cbackend" / "microstage_cbackend"
    folder, program = package / "interpreter", session.volumes / "bin" / "microstage-run"
    program.parent.mkdir(parents=True, exist_ok=True)
    _compile(session.typed.get("CC", "gcc"), folder, package / "kernels", program)
    print(program)


def _compile(compiler: str, folder: Path, kernels: Path, program: Path) -> None:
    """Compile every .c file there; an earlier program stays where it fails."""
    sources = sorted([*folder.glob("*.c"), *folder.glob("cli/*.c")])
    made = program.with_suffix(".new")
    include = [f"-I{path}" for path in (folder, folder / "cli", kernels)]
    try:
        subprocess.run([compiler, *_FLAGS, *include, *map(str, sources), "-o", str(made)], check=True)
    except FileNotFoundError:
        raise EnvironmentProblem(
            f"{compiler} is not installed; `apt-get install gcc libc6-dev` mends it, or CC= names another compiler."
        ) from None
    except subprocess.CalledProcessError:
        raise MicrostageError(f"{compiler} did not compile the interpreter; above is what it said.") from None
    made.replace(program)
