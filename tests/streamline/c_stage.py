"""The stage behind this one, in its own environment: a test that goes on to C begins it as a process."""

import os
import subprocess
from pathlib import Path

from microstage_runner.declarations.checkout import load_stages
from microstage_runner.engines.local import Environments

REPOSITORY = Path(__file__).resolve().parents[2]


def in_c_stage(*words: str) -> subprocess.CompletedProcess[str]:
    """What `python <words>` says there."""
    stage = load_stages(REPOSITORY)["cbackend"]
    python = Environments(REPOSITORY / "volumes" / ".env").ensure(stage.python, stage.folder / "requirements.lock")
    paths = os.pathsep.join(str(REPOSITORY / part) for part in ("shared", "stages/cbackend"))
    return subprocess.run([python, *words], env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True)
