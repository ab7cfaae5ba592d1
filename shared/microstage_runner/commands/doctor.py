"""`make doctor`: what this machine has and lacks, and the command that mends each lack."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from microstage.errors import EnvironmentProblem
from microstage_runner.declarations.stages import CODE, HARDWARE
from microstage_runner.engines import engine, memory
from microstage_runner.engines.local import find_python
from microstage_runner.process import DOOR
from microstage_runner.session import Session

__all__ = ["command"]

_DISK_GIB = 12
_MEMORY_GIB = 4


class Finding(NamedTuple):
    """`fine` is None for a lack that only closes one of two roads."""

    name: str
    fine: bool | None
    found: str
    mend: str = ""


def command(session: Session) -> int:
    """Print every finding; return 1 when no road, local or container, is open."""
    findings = list(_findings(session))
    for name, fine, found, mend in findings:
        mark = {True: "ok     ", False: "MISSING", None: "absent "}[fine]
        print(f"{mark}  {name}: {found}" + (f"; {mend}" if mend and not fine else ""))
    missing = [f.name for f in findings if f.fine is False]
    print(f"\n{'this machine lacks ' + ', '.join(missing) if missing else 'everything that is needed is here'}")
    return 1 if missing else 0


def _findings(session: Session) -> Iterator[Finding]:
    running = ".".join(map(str, sys.version_info[:3]))
    yield Finding("Python of the runner", sys.version_info >= (3, 11), running, "install CPython 3.11 or newer")
    docker = engine.find()
    yield Finding(
        "container engine",
        bool(docker) or None,
        str(docker or "none answers"),
        "`apt-get install docker.io`, then start `dockerd`; or use RUNNER=local",
    )
    local = None if docker else False  # one of the two roads must be open
    for version in sorted({stage.python for stage in session.stages.values()}):
        used_by = [stage.name for stage in session.stages.values() if stage.python == version]
        yield _python(version, ", ".join(used_by), local)
    yield _command(
        "uv", local, "environments of RUNNER=local", "made by itself, or `python3 -m pip install uv`", optional=True
    )
    if code := next((stage.name for stage in session.stages.values() if stage.role == CODE), ""):
        yield _command("gcc", local, f"{code} with RUNNER=local", "`apt-get install gcc libc6-dev`")
    if hardware := next((stage.name for stage in session.stages.values() if stage.role == HARDWARE), ""):
        for command, package in (("verilator", "verilator"), ("g++", "g++"), ("make", "make")):
            mend = f"`apt-get install {package}`"
            yield _command(command, None, f"{hardware} with RUNNER=local", mend, optional=True)
    yield _command(
        "debootstrap", None, f"`{DOOR} base` where no registry is reachable", "`apt-get install debootstrap`"
    )
    yield _command("openssl", None, "keys of SIGNING_KEY=", "`apt-get install openssl`", optional=True)
    yield Finding("cores", True, str(os.cpu_count()))
    yield _disk(session.volumes)
    yield _memory(docker)


def _python(version: str, use: str, lack: bool | None) -> Finding:
    try:
        return Finding(f"CPython {version}", True, str(find_python(version)))
    except EnvironmentProblem:
        mend = f"`uv python install {version}` or `pyenv install {version}`"
        return Finding(f"CPython {version}", lack, f"not found (for {use} with RUNNER=local)", mend)


def _command(name: str, lack: bool | None, use: str, mend: str, optional: bool = False) -> Finding:
    path = shutil.which(name)
    if path is None:
        return Finding(name, None if optional else lack, f"not found (for {use})", mend)
    said = subprocess.run([path, "--version"], capture_output=True, text=True).stdout.splitlines()
    return Finding(name, True, said[0] if said else path)


def _disk(volumes: Path) -> Finding:
    place = next(folder for folder in [volumes, *volumes.parents] if folder.exists())
    free = shutil.disk_usage(place).free / 2**30
    return Finding(
        "disk", free >= _DISK_GIB, f"{free:.0f} GiB free at {place}", f"environments and images need {_DISK_GIB} GiB"
    )


def _memory(docker: engine.Engine | None) -> Finding:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    held = f", of which a container gets {memory.shown(memory.limit_of_container(docker))} or MEMORY=" if docker else ""
    return Finding("memory", total >= _MEMORY_GIB, f"{total:.0f} GiB{held}", f"training needs {_MEMORY_GIB} GiB")
