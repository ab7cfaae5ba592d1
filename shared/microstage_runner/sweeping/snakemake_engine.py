"""The same jobs on Snakemake, in a locked environment of its own: on this machine, or on SLURM's."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from microstage.errors import EnvironmentProblem
from microstage.files.canonical import write_json
from microstage_runner.engines.local import Environments
from microstage_runner.sweeping.jobs import SweepJob

__all__ = ["LOCK", "PROFILES", "environment", "run"]

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
_HERE = Path(__file__).parent
LOCK = _HERE / "requirements.lock"
PROFILES = sorted(path.name for path in (_HERE / "profiles").iterdir())
"Folders of Snakemake's own options, by the name that PROFILE= has."


def environment(volumes: Path) -> Path:
    """Return the Python that has Snakemake and its plugins, made on first use."""
    return Environments(volumes / ".env").ensure(PYTHON, LOCK)


def run(jobs: Mapping[str, SweepJob], side_by_side: int, folder: Path, profile: str, volumes: Path) -> None:
    """Run every job with Snakemake, which works in `folder`; what is behind one that fails is left out."""
    write_json(folder / "jobs.json", [_rule(job, jobs) for job in jobs.values()])
    command = [
        *(str(environment(volumes)), "-m", "snakemake", "all"),
        *("--snakefile", str(_HERE / "Snakefile"), "--directory", str(folder)),
        *("--config", f"jobs={folder / 'jobs.json'}", "--profile", str(_HERE / "profiles" / profile)),
        *("--jobs", str(side_by_side)),
    ]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    try:
        code = process.wait()
    except BaseException:
        process.terminate()  # it takes its jobs back, those on a cluster too
        process.wait()
        raise
    if code and not any(job.log.exists() for job in jobs.values()):
        raise EnvironmentProblem("Snakemake began no job; its own message is above.")


def _rule(job: SweepJob, jobs: Mapping[str, SweepJob]) -> dict[str, object]:
    """Return what the Snakefile makes a rule of."""
    return {
        "name": job.name.replace("-", "_"),
        "stamp": str(job.stamp),
        "behind": [str(jobs[name].stamp) for name in job.behind],
        "shell": job.shell,
        "cores": job.stage.cores,
        "memory_mib": job.stage.memory_mib,
    }
