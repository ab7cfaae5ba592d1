"""Folders of C as the stage writes them, and what commands say of them."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from graphs import Graph, evaluate, single

from microstage.interface import golden
from microstage_bench.emulators import MACHINES
from microstage_cbackend.generate import files_of, read_model, verify_and_publish
from microstage_cbackend.program.model import Model
from microstage_cbackend.vectors.plan import Plan, make_plan

__all__ = ["CORTEX_M4", "equal", "need", "said", "write_files", "write_folder"]

CORTEX_M4 = next(machine for machine in MACHINES if machine.name == "cortex-m4")


def write_files(model: Model, plan: Plan, out: Path) -> Path:
    """Write the whole output folder; return it."""
    for path, data in files_of(model, plan).items():
        (out / path).parent.mkdir(parents=True, exist_ok=True)
        (out / path).write_bytes(data)
    return out


def write_folder(source: Path, out: Path, vectors: int = 8, name: str = "") -> Path:
    """Write the C of the graphs in `source`, with its first golden vectors; return the folder."""
    model, known = read_model(source, name), golden.load(source / golden.FILE)
    return write_files(model, make_plan(model, {key: values[:vectors] for key, values in known.items()}), out)


def equal(folder: Path, graph: Graph, *outputs: str, oracle=evaluate) -> dict[str, int]:
    """Compare the C of `graph` with `oracle`; boundary -> integers compared (the stage raises on a difference)."""
    source = single(folder / "in", graph, list(outputs), oracle=oracle)
    model = read_model(source)
    (folder / "out").mkdir()
    plan = make_plan(model, golden.load(source / golden.FILE))
    results = verify_and_publish(model, plan, source, folder / "scratch", folder / "out")
    assert all(r.compared == r.equal > 0 for r in results)
    return {r.boundary: r.compared for r in results}


def said(*command, cwd: Path, **variables: str) -> str:
    done = subprocess.run(
        [*map(str, command)], cwd=cwd, capture_output=True, text=True, check=False, env={**os.environ, **variables}
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def need(*tools: str) -> None:
    for tool in tools:
        if not shutil.which(tool):
            pytest.skip(f"{tool} is not installed")
