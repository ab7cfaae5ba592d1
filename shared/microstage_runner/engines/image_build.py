"""How the image of a stage is built: from a tar of the stage's recipe alone, whose owners and time stamps are fixed.

Equal recipes give equal layers, wherever and whenever they are built.
"""

from __future__ import annotations

import io
import re
import subprocess
import tarfile
import time
from collections.abc import Sequence
from pathlib import Path

from microstage.errors import EnvironmentProblem
from microstage_runner.engines import bases
from microstage_runner.engines import offline as vendor
from microstage_runner.engines.engine import Engine

__all__ = ["build", "context", "context_files", "default_base"]


def build(
    engine: Engine, repository: Path, stage: str, files: bytes, how: str, log: Path, tags: Sequence[str], *options: str
) -> None:
    """Build the image of `stage` from the tar `files`, with `options`, under `tags`; raise `EnvironmentProblem` if not.

    `how` says it in the line that is printed; what the engine says goes to `log`.
    """
    print(f"image: building {tags[0]} {how}, log in {log} ...", flush=True)
    began = time.monotonic()
    command = [*engine.command, "build", "--network=host", "--force-rm", *options]
    command += [f"--file=stages/{stage}/Dockerfile", *(f"--tag={tag}" for tag in tags)]
    with vendor.build_arguments(repository, stage) as sources, log.open("wb") as output:
        done = subprocess.run(
            [*command, *sources, "-"],
            input=files,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=engine.build_environment(),
        )
    if done.returncode:
        raise EnvironmentProblem(f"The image of {stage} does not build: {_last_error(log)}; all of it is in {log}.")
    print(f"image: built {tags[0]} in {time.monotonic() - began:.0f} s", flush=True)


def _last_error(log: Path) -> str:
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    said = [line for line in lines if re.search(r"error", line, re.IGNORECASE)] or lines or ["nothing was said"]
    return said[-1][-300:].rstrip(".")


def context(repository: Path, stage: str) -> bytes:
    """Return the build context of `stage` as a tar: sorted, owned by root, dated 1980, modes 644 and 755."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
        files = {path.relative_to(repository) for path in context_files(repository, stage)}
        for path in sorted({folder for file in files for folder in file.parents[:-1]}.union(files)):
            member = tarfile.TarInfo(path.as_posix())
            data = (repository / path).read_bytes() if path in files else b""
            member.type = tarfile.REGTYPE if path in files else tarfile.DIRTYPE
            member.size, member.mtime = len(data), bases.EPOCH
            member.mode = 0o755 if path not in files or (repository / path).stat().st_mode & 0o100 else 0o644
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def context_files(repository: Path, stage: str) -> list[Path]:
    """Return what a stage's image is built from, in `repository`: all that running the stage needs."""
    folder, shared = repository / "stages" / stage, repository / "shared" / "microstage"
    files = [folder / name for name in ("Dockerfile", "requirements.lock", "stage.toml")]
    files += _shared_locks(repository, folder / "Dockerfile")
    files += [path for path in folder.glob(f"microstage_{stage}/**/*") if path.is_file()]
    files += [path for path in shared.rglob("*") if path.is_file()]
    missing = [path for path in files if not path.is_file()]
    if missing:
        raise EnvironmentProblem(f"Stage {stage} has no image: {missing[0].relative_to(repository)} is missing.")
    return sorted(path for path in files if "__pycache__" not in path.parts and path.suffix != ".pyc")


def _shared_locks(repository: Path, dockerfile: Path) -> list[Path]:
    """Return the locks that stages share, `stages/*.lock`, as far as the Dockerfile copies them."""
    text = dockerfile.read_text() if dockerfile.is_file() else ""
    return [repository / name for name in re.findall(r"^COPY (stages/[\w-]+\.lock) ", text, re.MULTILINE)]


def default_base(repository: Path, stage: str) -> tuple[str, str]:
    """Return (reference with digest, Python version) from the Dockerfile's `ARG BASE=`."""
    text = (repository / "stages" / stage / "Dockerfile").read_text()
    found = re.search(r"^ARG BASE=(python:(\d+\.\d+)\S*@sha256:\S+)$", text, re.MULTILINE)
    if not found:
        raise EnvironmentProblem(
            f"stages/{stage}/Dockerfile: expected a line `ARG BASE=python:<version>...@sha256:...`."
        )
    return found[1], found[2]
