"""Replay golden vectors through the interpreter: all of them, on the file that is published."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from microstage.errors import MicrostageError, VerificationError
from microstage_cbackend.build import BoundaryResult
from microstage_cbackend.interpreter.building import compile_interpreter
from microstage_cbackend.network_file.format.numbers import PROGRAMS
from microstage_cbackend.network_file.reading.file import NetworkFile, read_container
from microstage_cbackend.network_file.writing.golden import (
    GoldenColumn,
    golden_section,
    of_answers,
    of_part,
    of_steps,
)
from microstage_cbackend.network_file.writing.network import with_golden
from microstage_cbackend.program.model import Model, SteppedModel
from microstage_cbackend.vectors.plan import Plan

__all__ = ["compiled_once", "replay"]

_NAMES = {number: name for name, number in PROGRAMS.items()}


@cache
def _folder() -> TemporaryDirectory:
    """Return a folder that goes with this process; where programs may run, which they may not in a stage's /tmp."""
    cached = os.environ.get("XDG_CACHE_HOME")
    if cached:
        Path(cached).mkdir(parents=True, exist_ok=True)
    return TemporaryDirectory(dir=cached)


@cache
def compiled_once() -> Path:
    """Return the interpreter, compiled at the first call."""
    return compile_interpreter(Path(_folder().name) / "microstage-run")


def replay(
    data: bytes, model: Model, plan: Plan, folder: Path, interpreter: Path | None, vectors: int = 0
) -> list[BoundaryResult]:
    """Return what the interpreter said of each program of the file `data`, with the golden vectors of `plan`.

    They are the first `vectors`, or all (0). It runs in `folder`; without an `interpreter` one is compiled.

    Raises `VerificationError` at the first integer that differs.
    """
    file, found = read_container(data), []
    for number, columns in _programs(file, model, plan):
        kind, name = _kind_and_name(file, number)
        path = folder / f"replayed.{number}.msn"
        path.write_bytes(with_golden(file, golden_section(columns, number, vectors or plan.vectors)))
        compared = _run(path, interpreter or compiled_once(), f"program {kind} of {name}")
        path.unlink()
        found.append(BoundaryResult(f"interpreter.{name if kind == 'part' else kind}", compared, compared))
    return found


def _kind_and_name(file: NetworkFile, number: int) -> tuple[str, str]:
    program = file.rows["PROG"][number]
    return _NAMES[int(program["kind"])], file.text(int(program["name"]))


def _programs(file: NetworkFile, model: Model, plan: Plan) -> Iterator[tuple[int, list[GoldenColumn]]]:
    """Yield the number of each program that vectors are known of, and these."""
    checks = {check.part.name: check for check in plan.checks}
    for number in range(len(file.rows["PROG"])):
        kind, name = _kind_and_name(file, number)
        if kind == "infer" and model.ends:
            yield number, of_answers(model.ends, plan)
        elif kind == "step" and model.ends and isinstance(model.recurrent, SteppedModel):
            yield number, of_steps(model.recurrent, plan)
        elif kind != "reset" and name in checks:
            if columns := of_part(checks[name].part, checks[name], plan):
                yield number, columns


def _run(path: Path, interpreter: Path, what: str) -> int:
    """Return how many integers the interpreter found equal."""
    done = subprocess.run([str(interpreter), str(path), "--test"], capture_output=True, text=True, check=False)
    said = re.search(r"(\d+) integers are equal", done.stdout)
    if done.returncode == VerificationError.exit_code:
        raise VerificationError(f"The interpreter differs from the reference in {what}: {done.stdout.strip()}")
    if done.returncode or not said:
        raise MicrostageError(f"The interpreter ended with code {done.returncode} in {what}: {done.stderr.strip()}")
    return int(said[1])
