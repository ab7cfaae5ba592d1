"""What `make bench`, `prove` and `footprint` are about: each network that was asked for, made by the stages.

A drawn network (microstage_bench) is written as an ONNX file and enters by that door.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from microstage.files.canonical import write_json
from microstage.untrusted.onnx_file import is_tflite
from microstage_runner.commands.asked import Asked
from microstage_runner.commands.planned import Planned
from microstage_runner.declarations.stages import CODE, INTEGERS, REFERENCE, of_role
from microstage_runner.engines.local import LocalBackend
from microstage_runner.pipeline.step import PublishedStep
from microstage_runner.process import REPOSITORY
from microstage_runner.session import Session

__all__ = ["benchmarks", "environment", "planned_of", "steps_of", "write_subjects"]

_COMPOSED, _QUANTISED = "model_qcdq_composed.onnx", "model_quantised.onnx"


def steps_of(asked: Sequence[Asked], scratch: Path) -> list[tuple[Asked, dict[str, PublishedStep]]]:
    """Make the C of every network where it is not made yet; return each with its steps, by the role of their stage.

    Drawn networks' files are written to `scratch`/<name>.
    """
    drawn = [one.name.split()[0] for one in asked if one.drawn]
    if drawn:
        benchmarks(environment(asked[0].session({})), "write_models", str(scratch), *dict.fromkeys(drawn))
    found: list[tuple[Asked, dict[str, PublishedStep]]] = []
    for one in asked:
        file = {"ONNX": str(scratch / one.name.split()[0] / "model.onnx")} if one.drawn else {}
        print(f"\n{one.name}: made by the stages", flush=True)
        session = Session(REPOSITORY, {**one.typed, **file})
        steps = session.pipeline(loud=not found).run(of_role(session.stages, CODE))
        found.append((one, {step.stage.role: step for step in steps}))
    return found


def planned_of(asked: Sequence[Asked]) -> list[Planned | str]:
    """Return the run of every network, or a sentence on one that is drawn: it is no file yet."""
    found: list[Planned | str] = []
    for one in asked:
        session = one.session({})
        up_to_code = Planned(one.name, session, of_role(session.stages, CODE))
        found.append(f"{one.name}: drawn first, then made by every stage" if one.drawn else up_to_code)
    return found


def write_subjects(made: Sequence[tuple[Asked, Mapping[str, PublishedStep]]], scratch: Path) -> Path:
    """Write what `microstage_bench.subject` reads: each network's C, and the files that other runtimes run."""
    path = scratch / "subjects.json"
    write_json(path, [_subject(one, steps, scratch) for one, steps in made])
    return path


def _subject(one: Asked, steps: Mapping[str, PublishedStep], scratch: Path) -> dict[str, Any]:
    folder = scratch / one.name.split()[0]
    files = {**_network_files(one, steps, folder), **one.beside}
    there = {name: str(path.resolve()) for name, path in files.items() if path.exists()}
    return {"name": one.name, "drawn": one.drawn, "c": str(steps[CODE].artefact.checked()), **there}


def _network_files(one: Asked, steps: Mapping[str, PublishedStep], drawn: Path) -> dict[str, Path]:
    """Return the network itself as files that other runtimes run: {"onnx" or "tflite": path}."""
    if one.drawn:
        return {"onnx": drawn / "model.onnx", "tflite": drawn / "model.tflite"}
    if "CALIBRATION" in one.typed:
        return {"onnx": steps[INTEGERS].artefact.checked() / _QUANTISED}
    if "ONNX" in one.typed:
        file = Path(one.typed["ONNX"]).resolve()
        return {"tflite" if is_tflite(file) else "onnx": file}
    return {"onnx": steps[REFERENCE].artefact.checked() / _COMPOSED}


def environment(session: Session) -> Path:
    """Return the interpreter that has the other runtimes: no stage's image carries one."""
    folder = REPOSITORY / "tests" / "rivals"
    environments = LocalBackend(REPOSITORY, session.volumes).environments
    return environments.ensure((folder / ".python-version").read_text().strip(), folder / "requirements.lock")


def benchmarks(python: Path, module: str, *words: str, **variables: str) -> int:
    """Run a module of microstage_bench in the environment of the other runtimes; return its exit code."""
    name = f"microstage_bench.{module}" if module else "microstage_bench"
    around = {"PYTHONPATH": str(REPOSITORY / "shared"), "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}
    return subprocess.run([str(python), "-m", name, *words], env={**os.environ, **around, **variables}).returncode
