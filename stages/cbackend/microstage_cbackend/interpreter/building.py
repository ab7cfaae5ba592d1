"""Compile microstage-run: every .c file of this folder and of cli/, with the kernels on the include path."""

from __future__ import annotations

from pathlib import Path

from microstage_cbackend.build import compiled

__all__ = ["PORTABLE", "compile_interpreter"]

PORTABLE = ("-O1", "-DMSN_SMALL", "-Wall", "-Wextra", "-Werror")
"Quick to compile, and with one version of each kernel."
_HERE = Path(__file__).parent


def compile_interpreter(program: Path, flags: tuple[str, ...] = PORTABLE, compiler: str = "gcc") -> Path:
    """Compile the interpreter to `program`; return it.

    Raises `EnvironmentProblem` without the compiler, `MicrostageError` when it refuses.
    """
    sources = [str(path) for path in sorted([*_HERE.glob("*.c"), *_HERE.glob("cli/*.c")])]
    include = [f"-I{folder}" for folder in (_HERE, _HERE / "cli", _HERE.parent / "kernels")]
    compiled(program.parent, program.name, [*include, *sources], ("-std=c99", "-pedantic", *flags), compiler)
    return program
