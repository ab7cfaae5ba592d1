"""`make test TESTS=`: each folder under `tests/` in the environment that its subject runs in, two at a time."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from microstage.errors import ParameterError
from microstage_runner.commands.planned import Planned
from microstage_runner.commands.suite_environment import environment_of
from microstage_runner.declarations.checkout import load_stages
from microstage_runner.declarations.stages import INTEGERS, REFERENCE, of_role
from microstage_runner.engines.local import LocalBackend

__all__ = ["command", "planned"]

_SIDE_BY_SIDE = 2
# Those that take minutes begin first, the longest before all, so that none of them runs alone at the end.
_LONG = ("pipeline", "cbackend", "streamline", "road", "rtl", "train")
# `shared/` must work on both interpreters and both majors of NumPy; the environments of these have the two, and onnx.
# Each leaves out the rooms whose packages are used by no stage on its interpreter.
_SHARED_IN = {REFERENCE: (), INTEGERS: ("charts", "datasets", "estimation")}


@dataclass(frozen=True)
class Suite:
    """One folder of tests in one environment."""

    folder: Path
    where: str
    python: Path
    environment: dict[str, str]
    targets: list[Path]
    left_out: list[Path]


def planned(typed: dict[str, str], repository: Path) -> list[Planned]:
    """Return no run: tests make what they need, elsewhere."""
    folder = repository / "tests"
    for path in map(Path, typed.get("TESTS", "").split()):
        if not path.exists() or not {path.resolve(), *path.resolve().parents} & {folder}:
            raise ParameterError(f"TESTS={path} names no test of this repository.")
    return []


def command(typed: dict[str, str], repository: Path) -> int:
    """Run the suites that cover the paths of TESTS= (default: all), and print each one's closing line again at the end.

    Return 1 if any failed or had no test.
    """
    volumes = repository / "volumes"
    chosen = [Path(path).resolve() for path in typed.get("TESTS", "").split()] or [repository / "tests"]
    with tempfile.TemporaryDirectory() as scratch:
        jobs = list(_suites(repository, LocalBackend(repository, volumes), Path(scratch), chosen))
        if not jobs:
            raise ParameterError(f"TESTS={typed['TESTS']} names no test of this repository.")
        with ThreadPoolExecutor(_SIDE_BY_SIDE) as pool:
            results = list(pool.map(_run, jobs))
    print("\n" + "\n".join(line for line, _ in results))
    return 0 if all(passed for _, passed in results) else 1


def _suites(repository: Path, local: LocalBackend, scratch: Path, chosen: list[Path]) -> Iterator[Suite]:
    """Yield each suite that has some of `chosen`, long ones first; makes the environments of these alone."""
    stages = load_stages(repository)
    folders = [path for path in (repository / "tests").iterdir() if any(path.rglob("test_*.py"))]
    for folder in sorted(folders, key=_turn):
        shared = {of_role(stages, role): rooms for role, rooms in _SHARED_IN.items()}
        for name, rooms in (shared if folder.name == "shared" else {folder.name: ()}).items():
            left_out = [folder / room for room in rooms]
            targets = [path for path in _targets(folder, chosen) if not {path, *path.parents} & {*left_out}]
            if targets:
                python, environment = environment_of(folder, local, scratch, name)
                yield Suite(folder, name if name in stages else "host", python, environment, targets, left_out)


def _turn(folder: Path) -> tuple[int, str]:
    return _LONG.index(folder.name) if folder.name in _LONG else len(_LONG), folder.name


def _targets(folder: Path, chosen: list[Path]) -> list[Path]:
    inside = [path for path in chosen if folder == path or folder in path.parents]
    return inside or ([folder] if any(path in folder.parents for path in chosen) else [])


def _run(suite: Suite) -> tuple[str, bool]:
    title = f"tests/{suite.folder.name} in {suite.where}"
    print(f"{title} ...", flush=True)
    began = time.monotonic()
    options = ["-q", "--color=no", "-p", "no:cacheprovider", "--durations=3"]
    options += [f"--ignore={room}" for room in suite.left_out]
    done = subprocess.run(
        [str(suite.python), "-m", "pytest", *options, *map(str, suite.targets)],
        env=suite.environment,
        cwd=suite.folder.parents[1],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    lines = done.stdout.strip().splitlines() or ["no output"]
    print("\n".join(lines if done.returncode else [line for line in lines[-12:] if "%]" not in line]), flush=True)
    state, seconds = "FAILED" if done.returncode else "passed", time.monotonic() - began
    line = f"{title}: {state} in {seconds:.0f} s; {lines[-1].strip('= ')}"
    print(line, flush=True)
    return line, done.returncode == 0
