"""Compile a folder of Verilog with its test bench by Verilator, and replay beats through it."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from microstage.errors import EnvironmentProblem, MicrostageError, VerificationError

__all__ = ["Replayed", "made", "replay", "version"]

_SAYS = re.compile(r"^compared (\d+) differ (\d+) cycles (\d+)$", re.MULTILINE)


@dataclass(frozen=True)
class Replayed:
    """What one replay compared, and the clock cycles from the first beat taken to the last one given."""

    compared: int
    differ: int
    cycles: int


def version() -> str:
    """Return what Verilator says of itself, in one line."""
    return _run(["verilator", "--version"], Path.cwd()).stdout.strip()


def made(folder: Path, log: Path, *words: str) -> Path:
    """Run `make test/bench` in `folder`, whose Makefile has Verilator's warnings end it; return the program."""
    done = _run(["make", "--no-print-directory", "test/bench", *words], folder)
    log.write_text(done.stdout)
    if done.returncode:
        said = [line for line in done.stdout.splitlines() if line.startswith("%") or "rror" in line]
        raise MicrostageError(
            f"Verilator refused the generated SystemVerilog, which is a fault of this generator: {' '.join(said[:3])}"
        )
    return folder / "test" / "bench"


def replay(program: Path, inputs: Path, expected: Path, seed: int = 1, stall: int = 0) -> Replayed:
    """Replay beats with so many percent of stalls; `VerificationError` where the module breaks a rule or hangs."""
    words = [str(program), str(inputs), str(expected), str(seed), str(stall)]
    done = _run(words, program.parents[1])
    found = _SAYS.search(done.stdout)
    if found is None:
        raise VerificationError(f"The module did not answer {inputs.name}: {done.stdout.strip()[-300:] or 'nothing'}.")
    if int(found[2]):
        first = done.stdout.splitlines()[0]
        raise VerificationError(f"{found[2]} of {found[1]} integers of {inputs.name} differ; {first}.")
    return Replayed(*map(int, found.groups()))


def _run(command: Sequence[str], folder: Path) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
    except FileNotFoundError:
        raise EnvironmentProblem(
            f"{command[0]} is not installed; `apt-get install verilator g++ make` mends it, or RUNNER=docker."
        ) from None
