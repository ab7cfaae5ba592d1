"""`make bench MODEL=... AGAINST=onnxruntime,litert,tflm`: the generated C beside other runtimes, in their own environment.

The networks are those of microstage.benchmarks; theirs is no stage's image, so that no stage carries a rival.
"""

from __future__ import annotations

import difflib
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from microstage.benchmarks.names import HARMONIC, NETWORKS, RIVALS
from microstage.errors import MicrostageError, ParameterError
from microstage.runner.cli import REPOSITORY, Session
from microstage.runner.declarations import load_stages
from microstage.runner.local import LocalBackend

__all__ = ["artefacts", "benchmarks", "environment", "generate", "listed", "main"]

_OWN = ("MODEL", "AGAINST", "ROUNDS")


def main(words: Sequence[str]) -> int:
    """Exit code of the benchmark of NAME=VALUE `words`; those that are not its own choose the run of the harmonic network."""
    typed = dict(word.split("=", 1) for word in words)
    models, against = listed(typed, "MODEL", NETWORKS, HARMONIC), listed(typed, "AGAINST", RIVALS)
    session = Session(REPOSITORY, {name: value for name, value in typed.items() if name not in _OWN})
    local = LocalBackend(REPOSITORY, session.volumes)
    python = environment(local)
    with tempfile.TemporaryDirectory(prefix="microstage-bench.") as scratch:
        twins, ours = Path(scratch) / "twins", Path(scratch) / "ours"
        drawn = [model for model in models if model != HARMONIC]
        if drawn:
            benchmarks(python, "twins", str(twins), *drawn)
        ours.mkdir()
        for model in drawn:
            generate(local, twins / model, ours / model, Path(scratch) / "build" / model)
        options = ["--models", ",".join(models), "--against", ",".join(against), "--rounds", typed.get("ROUNDS", "31")]
        if HARMONIC in models:
            options += ["--harmonic", *map(str, artefacts(session))]
        return benchmarks(python, "", *options, "--ours", str(ours))


def environment(local: LocalBackend) -> Path:
    """The interpreter that has the other runtimes."""
    folder = REPOSITORY / "tests" / "rivals"
    return local.environments.ensure((folder / ".python-version").read_text().strip(), folder / "requirements.lock")


def artefacts(session: Session) -> list[Path]:
    """The folders of the qcdq and cbackend stages of the selected run, made where they are missing."""
    steps = {step.stage.name: step for step in session.chain().run("cbackend")}
    return [session.store.folder(name, steps[name].about["key"]) for name in ("qcdq", "cbackend")]


def listed(typed: Mapping[str, str], variable: str, usual: Sequence[str], *more: str) -> list[str]:
    """What a comma-separated variable chooses of `usual` and `more`; the usual ones where it is missing."""
    known = [*usual, *more]
    chosen = typed[variable].split(",") if variable in typed else list(usual)
    for name in chosen:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else "."
            raise ParameterError(f"{variable}={name} is not known: expected {', '.join(known)}{hint}")
    return chosen


def benchmarks(python: Path, module: str, *words: str) -> int:
    """Run a module of microstage.benchmarks in the rivals' environment; its exit code."""
    name = f"microstage.benchmarks.{module}" if module else "microstage.benchmarks"
    variables = {**os.environ, "PYTHONPATH": str(REPOSITORY / "shared"), "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}
    return subprocess.run([str(python), "-m", name, *words], env=variables).returncode


def generate(local: LocalBackend, twin: Path, output: Path, scratch: Path) -> None:
    """The C of one twin, in `output`; where the generator refuses, it has said why, and the rivals are measured alone."""
    stage = load_stages(REPOSITORY)["cbackend"]
    for folder in (output, scratch):
        folder.mkdir(parents=True)
    if local.run(stage, inputs={"streamline": twin}, parameters={}, output=output, scratch=scratch):
        print(f"bench: no C of {twin.name}; its rivals are measured alone.", file=sys.stderr, flush=True)
        output.rename(output.with_name(f".{output.name}"))


if __name__ == "__main__":
    try:
        raise SystemExit(main(sys.argv[1:]))
    except MicrostageError as error:
        print(f"microstage: {error}", file=sys.stderr)
        raise SystemExit(error.exit_code) from None
