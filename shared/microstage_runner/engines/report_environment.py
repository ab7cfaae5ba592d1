"""The environment that renders pages; no stage and no image holds any of its packages."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from microstage.errors import EnvironmentProblem
from microstage_runner.engines.local import Environments

__all__ = ["LOCK", "TRACKING_LOCK", "report_environment", "run_module", "tracking_environment"]

LOCK = Path(__file__).parents[2] / "microstage_report" / "requirements.lock"
TRACKING_LOCK = LOCK.parent / "tracking" / LOCK.name
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"

_SHARED = Path(__file__).resolve().parents[2]
_START = (  # isolated: packages of the user's own never come before those of the lock
    "import runpy, sys; sys.path.append(sys.argv.pop(1)); "
    "runpy.run_module(sys.argv.pop(1), run_name='__main__', alter_sys=True)"
)


def report_environment(volumes: Path) -> Path:
    """Return the Python that has the packages of the lock; the runner's own version, which is there."""
    return Environments(volumes / ".env").ensure(PYTHON, LOCK)


def tracking_environment(volumes: Path) -> Path:
    """Return the Python that has what writes to a tracking server."""
    return Environments(volumes / ".env").ensure(PYTHON, TRACKING_LOCK)


def run_module(python: Path, volumes: Path, module: str, *arguments: Path) -> None:
    """Run a module of `shared` in the environment of `python`; raise `EnvironmentProblem` where it fails."""
    command = [str(python), "-I", "-c", _START, str(_SHARED), module, *map(str, arguments)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        trace = volumes / ".traces" / f"{module}-{os.getpid()}.txt"
        trace.parent.mkdir(parents=True, exist_ok=True)
        trace.write_text(done.stdout + done.stderr)
        raise EnvironmentProblem(f"the program {module} ended with code {done.returncode}; {trace} says why.")
