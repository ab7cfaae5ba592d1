"""Compile the written C with the machine's gcc, run its self test and read what it says."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from functools import reduce
from pathlib import Path

import numpy as np

from microstage.errors import EnvironmentProblem, MicrostageError, VerificationError
from microstage_cbackend.writers.selftest import KINDS

__all__ = [
    "FLAGS",
    "SMALL_MACHINE",
    "BoundaryResult",
    "compile_and_run",
    "compile_selftest",
    "compiled",
    "on_small_machines",
    "run_selftest",
    "version",
]

FLAGS = ("-std=c99", "-O2", "-Wall", "-Wextra", "-Werror")
SMALL_MACHINE = "-DMS_SMALL_MACHINE=1"
"Compiles what small machines run."


@dataclass
class BoundaryResult:
    """Hold what the self test said of one boundary: how many integers it compared, and how many were equal."""

    boundary: str
    compared: int
    equal: int


def on_small_machines(results: list[BoundaryResult]) -> list[BoundaryResult]:
    """Name the results of what small machines run."""
    return [BoundaryResult(f"small.{r.boundary}", r.compared, r.equal) for r in results]


def compile_and_run(
    folder: Path, shapes: dict[str, tuple[int, ...]], flags: tuple[str, ...] = FLAGS, compiler: str = "gcc"
) -> list[BoundaryResult]:
    """Call `compile_selftest`, then `run_selftest`."""
    compile_selftest(folder, flags, compiler)
    return run_selftest(folder, shapes)


def compile_selftest(folder: Path, flags: tuple[str, ...] = FLAGS, compiler: str = "gcc") -> None:
    """Compile every .c file of `folder`, and its self test, into `folder/test/selftest`.

    Raises `EnvironmentProblem` without the compiler, `MicrostageError` when it refuses.
    """
    sources = ["test/selftest.c", *sorted(path.name for path in folder.glob("*.c"))]
    compiled(folder, "test/selftest", sources, flags, compiler)


def version(compiler: str = "gcc") -> str:
    """Return what the compiler says of itself, in one line."""
    return (_run([compiler, "--version"], Path.cwd()).stdout.splitlines() or [compiler])[0]


def compiled(folder: Path, program: str, sources: list[str], flags: tuple[str, ...], compiler: str) -> None:
    """Compile `sources` in `folder` to `folder/program`; raise as `compile_selftest`."""
    try:
        done = _run(
            [compiler, "-o", program, "-I.", *sources, *flags], folder
        )  # flags may name libraries, which come last
    except FileNotFoundError:
        raise EnvironmentProblem(f"{compiler} is not installed; `apt-get install gcc libc6-dev` mends it.") from None
    if done.returncode:
        raise MicrostageError(
            f"{compiler} refused the generated C, which is a fault of this generator: {done.stderr.strip()}"
        )


def run_selftest(
    folder: Path, shapes: dict[str, tuple[int, ...]], vectors: int = 0, emulator: tuple[str, ...] = ()
) -> list[BoundaryResult]:
    """Run `folder/test/selftest` on golden.bin and return the counts of each boundary.

    It takes the first `vectors`, or all (0), and runs through `emulator`, a command that takes a program. `shapes`
    gives each boundary's shape per vector, so that a difference is named by its place in golden.npz.

    Raises `MicrostageError` when the self test cannot run, `VerificationError` naming tensor, index, expected and found
    at the first difference.
    """
    words = ["golden.bin", str(vectors)] if vectors else []
    test = _run([*emulator, str(folder.resolve() / "test" / "selftest"), *words], folder / "test")
    if test.returncode not in (0, 1):
        raise MicrostageError(f"The self test ended with code {test.returncode}: {test.stderr.strip()[-2000:]}")
    return _read(test.stdout, test.returncode, shapes)


def _read(text: str, code: int, shapes: dict[str, tuple[int, ...]]) -> list[BoundaryResult]:
    lines = [line.split() for line in text.splitlines()]
    results = [BoundaryResult(words[1], int(words[2]), int(words[3])) for words in lines if words[0] == "equal"]
    for _, boundary, vector, index, expected, found in (words for words in lines if words[0] == "differs"):
        wrong = next(r.compared - r.equal for r in results if r.boundary == boundary)
        shape = shapes[reduce(str.removeprefix, KINDS, boundary)]
        place = [int(vector), *map(int, np.unravel_index(int(index), shape))]
        raise VerificationError(
            f"The generated C differs from the reference at {boundary}{place}: expected {expected}, found {found} "
            f"({wrong} values of this boundary differ)."
        )
    if code or not results:
        raise VerificationError("The self test compared nothing, or failed without naming a difference.")
    return results


def _run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
