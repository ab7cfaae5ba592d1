"""`make slurm-test`: a sweep on a real SLURM of this machine, with one of its nodes killed in the middle."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

__all__ = ["command"]


def command(typed: dict[str, str], repository: Path) -> int:
    """Return the exit code of the test, which needs apt-get, dpkg and Debian's package lists, and installs nothing."""
    return subprocess.run([sys.executable, str(repository / "tests" / "slurm" / "run")]).returncode
