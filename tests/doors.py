"""What a user types, and the environments of the stages, for tests that cross from one stage to another."""

import os
import subprocess
from pathlib import Path

from microstage_runner.declarations.checkout import load_stages
from microstage_runner.engines.local import Environments
from microstage_runner.process import REPOSITORY

__all__ = ["compiled", "environment", "made", "python_of", "volumes"]


def volumes(folder: Path) -> Path:
    """Return a volume of its own at `folder`, with the environments that are here."""
    folder.mkdir(exist_ok=True)
    (folder / ".env").symlink_to(REPOSITORY / "volumes" / ".env")
    return folder


def python_of(stage: str) -> Path:
    """Return the interpreter of a stage's environment."""
    declared = load_stages(REPOSITORY)[stage]
    return Environments(REPOSITORY / "volumes" / ".env").ensure(declared.python, declared.folder / "requirements.lock")


def environment(*stages: str) -> dict[str, str]:
    """Return the environment of a process that imports what every stage holds, and the packages of some stages."""
    folders = ["shared", *(f"stages/{stage}" for stage in stages)]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(str(REPOSITORY / folder) for folder in folders)}


def made(*words: str) -> subprocess.CompletedProcess[str]:
    """Run `make` in the checkout."""
    return subprocess.run(["make", "--silent", *words], cwd=REPOSITORY, capture_output=True, text=True)


def compiled(network: Path, volumes: Path, *words: str) -> tuple[Path, str]:
    """Make C of `network`, with what else is typed; return its folder and what was said."""
    done = made("cbackend", f"ONNX={network}", "RUNNER=local", f"VOLUMES={volumes}", *words)
    assert done.returncode == 0, f"{network.name}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
    found = next(line for line in done.stdout.splitlines() if line.startswith("result: "))
    return Path(found.removeprefix("result: ")), done.stdout
