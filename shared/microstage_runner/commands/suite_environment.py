"""The environment that a folder of tests runs in; benchmarks and proofs that lie beside tests run in it as well."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from microstage_runner.artefacts.pinned_environment import stage_environment
from microstage_runner.declarations.checkout import load_stages
from microstage_runner.engines import offline
from microstage_runner.engines.local import LocalBackend
from microstage_runner.engines.report_environment import report_environment, tracking_environment

__all__ = ["environment_of", "run_script"]

_OF_THE_REPORT = {"report": report_environment, "tracking": tracking_environment}
_VERSION = ".python-version"  # of a folder whose lock is an environment of its own


def run_script(script: Path) -> int:
    """Run tests/<suite>/<script> as the tests beside it are run; return its exit code."""
    repository = script.parents[2]
    with tempfile.TemporaryDirectory() as scratch:
        local = LocalBackend(repository, repository / "volumes")
        python, environment = environment_of(script.parent, local, Path(scratch))
        return subprocess.run([str(python), str(script)], env=environment).returncode


def environment_of(
    folder: Path, local: LocalBackend, scratch: Path, name: str | None = None
) -> tuple[Path, dict[str, str]]:
    """Return (interpreter, environment) of the tests in `folder`: those of the stage `name`, by default the folder's
    own.

    A folder of no stage has the host's interpreter, that of the report, or one of its own where it says which in
    .python-version.
    """
    repository = folder.parents[1]
    stage = load_stages(repository).get(name or folder.name)
    overlay = str(local.environments.overlay(repository / "tests" / "requirements.lock"))
    if stage is None:
        own = [] if (folder / _VERSION).exists() else _own_packages(folder, local)
        source = os.pathsep.join([str(repository / "shared"), overlay, *own])
        return _of_no_stage(folder, local), {**_outside(), "PYTHONPATH": source}
    python = local.environments.ensure(stage.python, stage.folder / "requirements.lock")
    source = os.pathsep.join([str(repository / "shared"), str(stage.folder), overlay, *_own_packages(folder, local)])
    pinned = stage_environment(scratch) | {"HYPOTHESIS_STORAGE_DIRECTORY": str(scratch / "hypothesis")}
    pinned |= {name: os.environ[name] for name in ("MICROSTAGE_DATA_DIR",) if name in os.environ}
    return python, {**pinned, "PATH": f"{python.parent}:/usr/local/bin:/usr/bin:/bin", "PYTHONPATH": source}


def _of_no_stage(folder: Path, local: LocalBackend) -> Path:
    """Return the interpreter of a folder of tests whose subject is no stage."""
    if folder.name in _OF_THE_REPORT:
        return _OF_THE_REPORT[folder.name](local.environments.folder.parent)
    version = folder / _VERSION
    if not version.exists():
        return Path(sys.executable)
    return local.environments.ensure(version.read_text().strip(), folder / "requirements.lock")


def _outside() -> dict[str, str]:
    """Return the environment of this process, but for the folder VENDOR=, which tests choose themselves."""
    return {name: value for name, value in os.environ.items() if name != offline.VARIABLE}


def _own_packages(folder: Path, local: LocalBackend) -> list[str]:
    """Return what one folder of tests needs beyond pytest: its own lock, where it has one."""
    lock = folder / "requirements.lock"
    return [str(local.environments.overlay(lock))] if lock.exists() else []
