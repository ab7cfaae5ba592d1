"""`make bench-setup`: what setting up costs per stage, cold; image sizes, shared layers counted once; what a container
adds to a run.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from pathlib import Path

from microstage.process.text_table import table
from microstage_runner.artefacts.pinned_environment import stage_environment
from microstage_runner.commands.timing import median_seconds
from microstage_runner.declarations.checkout import load_stages
from microstage_runner.declarations.stages import Stage, usual
from microstage_runner.engines.containers import HARDENING
from microstage_runner.engines.engine import Engine, find
from microstage_runner.engines.images import Images
from microstage_runner.engines.local import Environments, LocalBackend
from microstage_runner.process import REPOSITORY
from microstage_runner.reproduce.rebuild import forget, rebuild_once

__all__ = ["command"]

_ROUNDS = 5
_MB = 1e6


def command(typed: dict[str, str], repository: Path) -> None:
    """Print the table; without an engine, the local columns alone."""
    engine, stages = find(), {stage.name: stage for stage in usual(load_stages(REPOSITORY))}
    print(f"{engine or 'no container engine answers: local figures alone'}; downloads included", flush=True)
    rows = [_row(stage, engine) for stage in stages.values()]
    titles = [
        "stage",
        "environment, cold",
        "on disk",
        "start, local",
        "image, cold",
        "size",
        "start, container",
        "container adds",
    ]
    print("\n" + "\n".join(table(titles, rows)))
    if engine:
        layers = {digest: size for stage in stages for digest, size in _layers(engine, _tag(stage)).items()}
        print(
            f"\nall images together, shared layers once: {sum(layers.values()) / _MB:,.0f} MB in {len(layers)} layers"
        )


def _row(stage: Stage, engine: Engine | None) -> list[str]:
    cold, disk = _cold_environment(stage)
    local = median_seconds(_local(stage), _ROUNDS)
    row = [stage.name, f"{cold:.0f} s", f"{disk / _MB:,.0f} MB", f"{local:.2f} s"]
    if engine is None:
        return [*row, "-", "-", "-", "-"]
    built = _cold_image(stage)
    contained = median_seconds(_contained(stage, engine), _ROUNDS)
    size = sum(_layers(engine, _tag(stage.name)).values())
    return [*row, f"{built:.0f} s", f"{size / _MB:,.0f} MB", f"{contained:.2f} s", f"{contained - local:.2f} s"]


def _cold_environment(stage: Stage) -> tuple[float, int]:
    """Return (seconds, bytes) of a virtual environment made anew beside the one in use, every
    wheel downloaded again.
    """
    folder = Path(tempfile.mkdtemp(prefix="microstage-bench-", dir=REPOSITORY / "volumes"))
    environments = Environments(folder / ".env", {**os.environ, "UV_CACHE_DIR": str(folder / "cache")})
    try:
        began = time.monotonic()
        environments.ensure(stage.python, stage.folder / "requirements.lock")
        seconds = time.monotonic() - began
        return seconds, sum(path.lstat().st_size for path in (folder / ".env").rglob("*") if path.is_file())
    finally:
        shutil.rmtree(folder)


def _cold_image(stage: Stage) -> float:
    images = Images(REPOSITORY, REPOSITORY / "volumes")
    images.ensure(stage.name, verify=True)
    began = time.monotonic()
    built = rebuild_once(images, stage.name, images.known)
    seconds = time.monotonic() - began
    forget(images, built)
    return seconds


def _local(stage: Stage) -> list[str]:
    """Import the stage's package with all that it needs, as the runner would start it, and end."""
    python = LocalBackend(REPOSITORY, REPOSITORY / "volumes").environments.ensure(
        stage.python, stage.folder / "requirements.lock"
    )
    given = {**stage_environment(Path("/tmp")), "PYTHONPATH": f"{REPOSITORY / 'shared'}{os.pathsep}{stage.folder}"}
    return [
        "env",
        "-i",
        *(f"{name}={value}" for name, value in given.items()),
        str(python),
        "-m",
        f"microstage_{stage.name}",
        "--help",
    ]


def _contained(stage: Stage, engine: Engine) -> list[str]:
    given = [f"--env={name}={value}" for name, value in stage_environment(Path("/tmp")).items()]
    return [*engine.command, "run", "--rm", "--init", *HARDENING, *given, _tag(stage.name), "--help"]


def _tag(stage: str) -> str:
    return Images(REPOSITORY, REPOSITORY / "volumes").ensure(stage).tag


def _layers(engine: Engine, tag: str) -> dict[str, int]:
    """Return {content digest: bytes} of an image's layers; steps that leave no layer have none."""
    digests = json.loads(engine.run("image", "inspect", "--format", "{{json .RootFS.Layers}}", tag))
    sizes = [int(size) for size in engine.run("history", "--human=false", "--format", "{{.Size}}", tag).splitlines()][
        ::-1
    ]
    filled = [size for size in sizes if size]
    whole = int(engine.run("image", "inspect", "--format", "{{.Size}}", tag))
    below = digests[: len(digests) - len(filled)]  # the base's, whose history the engine may not know one by one
    sized = dict(zip(digests[len(below) :], filled))
    return {**dict.fromkeys(below, 0), **({below[0]: whole - sum(filled)} if below else {}), **sized}
