"""Running a stage in its own virtual environment: for machines without a container engine."""

from __future__ import annotations

import ctypes
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from functools import cache, partial
from pathlib import Path

from microstage.errors import EnvironmentProblem
from microstage.files.locking import if_free
from microstage_runner.artefacts.pinned_environment import stage_environment
from microstage_runner.artefacts.places import clear, hold
from microstage_runner.declarations.stages import Stage
from microstage_runner.engines import memory
from microstage_runner.engines import offline as vendor
from microstage_runner.engines.bases import find_cpython
from microstage_runner.engines.foreseen import Foreseen
from microstage_runner.engines.script_run import ScriptRun
from microstage_runner.engines.stage_run import StageRun

__all__ = ["ONLY_LOCKED_WHEELS", "Environments", "LocalBackend", "find_python"]

_STOP_SECONDS = 10
ONLY_LOCKED_WHEELS = ("--require-hashes", "--only-binary", ":all:")  # building a source archive runs what is in it
_SLIM = Path(__file__).resolve().parents[2] / "microstage" / "slim.py"
_ALONE = ("--offline", "--no-config")  # for uv, which would otherwise ask what this site has set up as well
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


class LocalBackend:
    """The `Backend` whose environments are virtual environments under `volumes`/.env, made with uv from the locks."""

    name = "local"

    def __init__(self, repository: Path, volumes: Path) -> None:
        self.repository = repository
        self.environments = Environments(volumes / ".env")

    def platform(self, stage: Stage) -> dict[str, str]:
        python = self.environments.ensure(stage.python, stage.folder / "requirements.lock")
        version = _version_of(python.parent.parent)
        return {"libc": _libc_version(), "python": version}

    def foreseen(self, stage: Stage) -> Foreseen:
        """Return the platform of the environment that is there, or that this machine's CPython would make."""
        python = self.environments.place(stage.python, stage.folder / "requirements.lock")
        if python.exists():
            return Foreseen(self.platform(stage))
        lacking = f"environment {python.parent.parent.name}"
        try:
            version = _asked(find_python(stage.python))
        except EnvironmentProblem:  # uv would download one, or say that it cannot
            return Foreseen({}, lacking)
        return Foreseen({"libc": _libc_version(), "python": version}, lacking)

    def run(self, wanted: StageRun) -> int:
        """Return the exit code of the stage, of which no process is left when this returns or raises."""
        words = ["-m", "microstage.process.begin", wanted.package, *wanted.words]
        return self._run(wanted.stage, words, wanted.scratch, wanted.scratch)

    def run_script(self, wanted: ScriptRun) -> int:
        """Return the exit code of a script of the user's, in its own folder."""
        return self._run(wanted.stage, [str(wanted.script), *wanted.arguments], wanted.folder, wanted.scratch)

    def _run(self, stage: Stage, words: Sequence[str], folder: Path, scratch: Path) -> int:
        python = self.environments.ensure(stage.python, stage.folder / "requirements.lock")
        environment = {
            **stage_environment(scratch),
            "PATH": f"{python.parent}:/usr/local/bin:/usr/bin:/bin",
            "PYTHONPATH": str(self._copied(stage, scratch / "sources")),
        }
        process = subprocess.Popen(
            [str(python), *words],
            env=environment,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=partial(_begin, memory.limit_of_process()),
        )
        try:
            return process.wait()
        except BaseException:
            _stop(process)
            raise

    def _copied(self, stage: Stage, target: Path) -> Path:
        """Return `target`, with a copy of what the stage imports: an edit of a source meets no run that has begun.

        Python's own caches stay behind, as they know a source by its size and time alone.
        """
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir()
        for source in (self.repository / "shared" / "microstage", stage.folder / f"microstage_{stage.name}"):
            shutil.copytree(source, target / source.name, ignore=shutil.ignore_patterns("__pycache__"))
        for folder, _, _ in os.walk(target):  # an installed microstage may be read-only, and its copy goes again
            os.chmod(folder, 0o755)
        return target


def _libc_version() -> str:
    return os.confstr("CS_GNU_LIBC_VERSION") or "unknown"


@cache
def _asked(python: Path) -> str:
    """Return the version of CPython that an interpreter says it is."""
    code = "import platform; print(platform.python_version())"
    return subprocess.run([python, "-I", "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def _version_of(environment: Path) -> str:
    """Return the version of CPython that a virtual environment says it is of."""
    try:
        said = (environment / "pyvenv.cfg").read_text()
    except (OSError, ValueError):
        said = ""
    found = re.search(r"^version_info *= *(\S+)", said, re.MULTILINE)
    if found is None:
        raise EnvironmentProblem(
            f"{environment} is damaged: its pyvenv.cfg says no version; remove it, and it is made anew."
        )
    return found[1]


def _begin(limit: int | None) -> None:
    """Bound the stage's memory, and let it end with a killed runner: it must not write on beside the next run."""
    memory.hold(limit)
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class Environments:
    """Virtual environments by lock, what is left out, Python: made beside, renamed into place, then never changed."""

    def __init__(self, folder: Path, environment: Mapping[str, str] | None = None) -> None:
        """`environment` is that of the installer; None is this process's own."""
        self.folder, self.environment = folder, environment

    def ensure(self, version: str, lock: Path) -> Path:
        """Return the interpreter of the environment that holds exactly `lock`, less what no stage loads."""
        python = self.place(version, lock)
        if python.exists():
            return python
        name = python.parent.parent.name
        with self._lock(name):
            if not python.exists():
                self._make(name, self._python(version), lock)
        return python

    def place(self, version: str, lock: Path) -> Path:
        """Return where the interpreter of that environment is, or will be."""
        content = hashlib.sha256(lock.read_bytes() + _SLIM.read_bytes()).hexdigest()
        return self.folder / f"{lock.parent.name}-{version}-{content[:12]}" / "bin" / "python"

    def overlay(self, lock: Path, version: str = "") -> Path:
        """Return a folder for PYTHONPATH that holds `lock`'s packages: of pure Python, for any interpreter, or those
        for CPython of one `version`.
        """
        content = hashlib.sha256(lock.read_bytes()).hexdigest()[:12]
        target = self.folder / "-".join(filter(None, (lock.parent.name, "overlay", version, content)))
        python = self._python(version) if version else sys.executable
        with self._lock(target.name):
            if not target.exists():
                beside = target.with_name(target.name + ".part")
                shutil.rmtree(beside, ignore_errors=True)
                self._install(lock, _sources(lock, *_ALONE), "--python", python, "--target", beside)
                beside.rename(target)
        return target

    def _python(self, version: str) -> Path:
        """Return a CPython of this machine, or else one that uv downloads."""
        try:
            return find_python(version)
        except EnvironmentProblem as problem:
            if vendor.chosen():
                raise
            print(f"environment: CPython {version} is not here; uv downloads it ...", file=sys.stderr, flush=True)
            uv = [str(self._find_uv()), "python"]
            if subprocess.run([*uv, "install", "--quiet", version], stdin=subprocess.DEVNULL).returncode:
                raise problem from None
            found = subprocess.run([*uv, "find", version], capture_output=True, text=True, check=True)
            return Path(found.stdout.strip())

    def _make(self, name: str, python: Path, lock: Path) -> None:
        print(f"environment: {name} (hash-locked, {lock.parent.name}) ...", file=sys.stderr, flush=True)
        sources = _sources(lock, *_ALONE)  # refused before anything is made
        self._collect()
        beside = self.folder / f"{name}.part"
        shutil.rmtree(beside, ignore_errors=True)
        self._uv("venv", "--quiet", "--relocatable", "--python", python, beside)
        inside = beside / "bin" / "python"
        self._install(lock, sources, "--python", inside)
        subprocess.run([inside, "-I", _SLIM, beside], check=True)
        beside.rename(self.folder / name)

    def _install(self, lock: Path, sources: list[str], *where: str | Path) -> None:
        self._uv("pip", "install", "--quiet", "--no-deps", *ONLY_LOCKED_WHEELS, *where, *sources, "-r", lock)

    def _uv(self, *arguments: str | Path) -> None:
        command = [str(self._find_uv()), *map(str, arguments)]
        if subprocess.run(command, stdin=subprocess.DEVNULL, env=self.environment).returncode:
            raise EnvironmentProblem(
                f"`uv {arguments[0]} {arguments[1]}` failed, its own message is above;"
                " `make doctor` says what is missing."
            )

    def _find_uv(self) -> Path:
        found = shutil.which("uv")
        if found:
            return Path(found)
        own = self.folder / "uv" / "bin" / "uv"
        if not own.exists():
            lock = Path(__file__).with_name("uv.lock")
            install = [
                "-m",
                "pip",
                "install",
                "-q",
                *ONLY_LOCKED_WHEELS,
                *_sources(lock, "--isolated"),
                "-r",
                str(lock),
            ]
            steps = [[sys.executable, "-m", "venv", str(own.parent.parent)], [str(own.with_name("python")), *install]]
            if any(subprocess.run(step, stdin=subprocess.DEVNULL).returncode for step in steps):
                raise EnvironmentProblem("uv could not be installed; install it by hand: `python3 -m pip install uv`.")
        return own

    def _lock(self, name: str) -> AbstractContextManager[None]:
        return hold(self.folder / f".{name}.lock")

    def _collect(self) -> None:
        """Remove what dead processes left half made."""
        for part in self.folder.glob("*.part"):
            with if_free(self.folder / f".{part.name.removesuffix('.part')}.lock") as free:
                if free:
                    clear(part)


def _sources(lock: Path, *options: str) -> list[str]:
    """Return where an installer finds `lock`: nothing to add, or the folder VENDOR= alone, with `options` that shut out
    all else.
    """
    vendored = vendor.chosen()
    return [*vendored.install_options(lock), *options] if vendored else []


@cache
def find_python(version: str) -> Path:
    """Return a CPython `version` ("3.10") of this machine, the one that stand-in bases hold where there is a choice."""
    try:
        return find_cpython(version) / "bin" / f"python{version}"
    except EnvironmentProblem:
        onpath = shutil.which(f"python{version}")
    if onpath is None:
        raise EnvironmentProblem(
            f"CPython {version} is not on this machine; `uv python install {version}` or pyenv brings it."
        )
    return Path(onpath)


def _stop(process: subprocess.Popen) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
            process.wait(_STOP_SECONDS)
            return
        except subprocess.TimeoutExpired:
            continue
        except ProcessLookupError:
            return
