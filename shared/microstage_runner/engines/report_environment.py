"""The environment that renders pages; no stage and no image holds any of its packages."""

from __future__ import annotations

import sys
from pathlib import Path

from microstage_runner.engines.local import Environments

__all__ = ["LOCK", "report_environment"]

LOCK = Path(__file__).parents[2] / "microstage_report" / "requirements.lock"
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


def report_environment(volumes: Path) -> Path:
    """Return the Python that has the packages of the lock; the runner's own version, which is there."""
    return Environments(volumes / ".env").ensure(PYTHON, LOCK)
