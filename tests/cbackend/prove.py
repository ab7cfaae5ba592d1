"""`make prove`: bit-exactness beyond the golden vectors: random ones, two compilers, every optimisation level,
sanitizers.

    python tests/cbackend/prove.py [--vectors 10000] [--seconds 30] NAME=GRAPHS=C ...

GRAPHS is an artefact of streamline and C the one that cbackend made of it. Random inputs go through the integer
reference of the graphs, then through that C in every compilation: all of them through -O3 of both compilers; elsewhere
as many as fit into `seconds`, and the table says how many. So does the network file, through the interpreter. The first
ones go through the C on every other machine whose compiler and emulator are installed too: kernels in assembly are
there alone. Exit code 3 if any integer differs.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from pathlib import Path

from random_vectors import random_vectors

from microstage.errors import EnvironmentProblem, MicrostageError, VerificationError
from microstage_bench.compiling import COMPILERS, FORMS, SANITIZERS
from microstage_bench.emulators import MACHINES, Machine
from microstage_bench.tables import table
from microstage_cbackend.build import FLAGS, BoundaryResult, compile_selftest, run_selftest
from microstage_cbackend.generate import files_of, read_model
from microstage_cbackend.interpreter.building import compile_interpreter
from microstage_cbackend.network_file.replay import replay
from microstage_cbackend.vectors.plan import Plan, make_plan

WHOLE = ("-O3",)
"Flags whose C runs every vector, however long it takes."
HEADER = ("network", "compiler", "flags", "vectors", "integers compared", "mismatches")
INTERPRETERS = [("gcc", ("-O3",)), ("clang", ("-O3",)), ("gcc", ("-O1", "-DMSN_SMALL", *SANITIZERS))]
"Compilations of the interpreter."
_LEAST = 50


def prove(name: str, graphs: Path, c: Path, count: int, seconds: float) -> Iterator[tuple[str, ...]]:
    """A row of the table per compilation of the C in `c`, whose self test replays random vectors of `graphs`."""
    model = read_model(
        graphs, max(c.glob("*_weights.h"), key=lambda path: len(path.name)).name.removesuffix("_weights.h")
    )
    vectors = random_vectors(model, graphs, count)
    plan = make_plan(model, vectors)
    files, shapes = files_of(model, plan), plan.shapes()
    with tempfile.TemporaryDirectory() as scratch:
        shutil.copytree(c, scratch, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.npz"))
        _replaying(files, Path(scratch))
        for compiler, flags in FORMS:
            words = tuple(word for flag in flags for word in flag.split())
            compile_selftest(Path(scratch), (FLAGS[0], *FLAGS[2:], *words), compiler)
            test = partial(run_selftest, Path(scratch), shapes)
            yield name, compiler, _shown(flags), *_compared(test, plan, math.inf if flags == WHOLE else seconds)
        for compiler, flags in INTERPRETERS:
            program = _interpreter(compiler, flags)
            file = (c / f"{model.name}.msn").read_bytes()
            test = partial(replay, file, model, plan, Path(scratch), program)
            yield name, compiler, f"interpreter {_shown(flags)}", *_compared(test, plan, seconds)
        few = make_plan(model, {key: values[:_LEAST] for key, values in vectors.items()})
        _replaying(files_of(model, few), Path(scratch))
        for machine in _machines():
            compile_selftest(Path(scratch), (*FLAGS, *machine.flags, *machine.link), machine.compiler)
            test = partial(run_selftest, Path(scratch), shapes, emulator=machine.emulator)
            yield name, machine.compiler, f"-O2 for {machine.name}", *_replayed(test, few.vectors)


def _replaying(files: Mapping[str, bytes], folder: Path) -> None:
    """Let the self test in `folder` replay the vectors of `files`."""
    for name in ("test/selftest.c", "test/golden.bin"):
        (folder / name).write_bytes(files[name])


@cache
def _folder() -> tempfile.TemporaryDirectory:
    """A folder that goes with this process."""
    return tempfile.TemporaryDirectory()


@cache
def _interpreter(compiler: str, flags: tuple[str, ...]) -> Path:
    """The interpreter in one compilation, for all networks."""
    number = INTERPRETERS.index((compiler, flags))
    return compile_interpreter(Path(_folder().name) / f"microstage-run-{number}", flags, compiler)


def _shown(flags: tuple[str, ...]) -> str:
    """The flags as the table has them."""
    return " ".join(
        "-fsanitize=address,undefined" if flag == SANITIZERS[0] else flag for flag in flags if flag != SANITIZERS[1]
    )


@cache
def _machines() -> list[Machine]:
    """The machines that can be emulated here; prints what the others lack."""
    for machine in MACHINES:
        if machine.missing:
            print(f"not on {machine.name}: {machine.missing}", flush=True)
    return [machine for machine in MACHINES if not machine.missing]


def _replayed(test: Callable[[], list[BoundaryResult]], vectors: int) -> tuple[str, str, str]:
    """(vectors, integers compared, "0" or the first mismatch) of a `test` that runs all vectors of its file."""
    try:
        return f"{vectors:,}", f"{sum(r.compared for r in test()):,}", "0"
    except VerificationError as error:
        return f"{vectors:,}", "0", str(error)


def _compared(test: Callable[[int], list[BoundaryResult]], plan: Plan, seconds: float) -> tuple[str, str, str]:
    """(vectors, integers compared, "0" or the first mismatch) of what `test` runs, within about `seconds`."""
    began, few = time.monotonic(), min(_LEAST, plan.vectors)
    try:
        test(few)
        vectors = max(few, int(min(plan.vectors, seconds * few / (time.monotonic() - began))))
        return f"{vectors:,}", f"{sum(r.compared for r in test(vectors)):,}", "0"
    except VerificationError as error:
        return f"{few:,}", "0", str(error)


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--vectors", type=int, default=10000)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("networks", nargs="+", metavar="NETWORK", help='["name", "graphs", "c"]')
    given, rows = parser.parse_args(words), []
    for compiler in COMPILERS:
        if not shutil.which(compiler):
            raise EnvironmentProblem(f"{compiler} is not installed; `apt-get install {compiler}` mends it.")
    for network in given.networks:
        name, graphs, c = json.loads(network)
        for row in prove(name, Path(graphs), Path(c), given.vectors, given.seconds):
            rows.append(row)
            print("  ".join(row), flush=True)
    print("\n" + table(HEADER, rows))
    wrong = sum(row[-1] != "0" for row in rows)
    print(f"{len(given.networks)} networks, {len(rows)} compilations, {wrong} of them with a mismatch")
    return VerificationError.exit_code if wrong else 0


if __name__ == "__main__":
    try:
        raise SystemExit(main(sys.argv[1:]))
    except MicrostageError as error:
        print(f"prove: {error}", file=sys.stderr)
        raise SystemExit(error.exit_code) from None
