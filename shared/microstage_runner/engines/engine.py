"""Which container engine this machine has, and what its clients can do.

Two Docker clients may stand on one machine (Debian's 20.10 with BuildKit built in beside a newer stand-alone
one that has no buildx and refuses DOCKER_BUILDKIT=1), so each is asked; nothing is assumed from its version alone.
"""

from __future__ import annotations

import functools
import json
import os
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from microstage.errors import EnvironmentProblem

__all__ = ["Engine", "answers", "find", "is_elsewhere", "require"]

_ASK_SECONDS = 20


@dataclass(frozen=True)
class Engine:
    """A client that answered and the engine behind it; `buildkit` is whether this client can build with BuildKit.

    `host` is "" for the client's own choice of engine, else a URL (ssh://user@box) or the name of a Docker context.
    """

    client: str
    client_version: str
    server_version: str
    buildkit: bool
    host: str = ""

    @property
    def command(self) -> list[str]:
        """What every client command starts with."""
        return [self.client, *_where(self.host)]

    def __str__(self) -> str:
        builder = "BuildKit" if self.buildkit else "the legacy builder"
        there = f" on {self.host}" if self.host else ""
        return (
            f"Docker {self.server_version}{there} through {self.client} {self.client_version}, building with {builder}"
        )

    def run(self, *arguments: str, input: bytes | None = None, timeout: float | None = None) -> str:
        """Return the standard output of one client command; `EnvironmentProblem` quotes its last line of complaint."""
        done = self.call(*arguments, input=input, timeout=timeout)
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip().splitlines() or ["nothing was said"]
            raise EnvironmentProblem(f"`docker {' '.join(arguments[:2])}` failed: {said[-1]}")
        return done.stdout.decode(errors="replace").strip()

    def call(
        self, *arguments: str, input: bytes | None = None, timeout: float | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        """Return the finished process of one client command, its output captured, whatever its exit code."""
        nothing = subprocess.DEVNULL if input is None else None
        return subprocess.run(
            [*self.command, *arguments], capture_output=True, timeout=timeout, stdin=nothing, input=input
        )

    def build_environment(self) -> dict[str, str]:
        """Return the environment of `docker build`, which says which builder: the default differs by version."""
        return {**os.environ, "DOCKER_BUILDKIT": "1" if self.buildkit else "0", "BUILDKIT_PROGRESS": "plain"}


@functools.cache
def find(host: str = "") -> Engine | None:
    """Return the first client on PATH whose engine answers, one that can use BuildKit before one that cannot."""
    answering = [engine for client in _clients() if (engine := _ask(client, host))]
    return next((engine for engine in answering if engine.buildkit), answering[0] if answering else None)


def require(host: str = "") -> Engine:
    """Return the engine as `find` does; raise `EnvironmentProblem` that names the next command where there is none."""
    engine = find(host)
    if engine is None and host:
        raise EnvironmentProblem(
            f"No docker engine answers at {host}; `docker {' '.join(_where(host))} version` says why."
        )
    if engine is None:
        problem = "no docker client is installed" if not list(_clients()) else "no docker engine answers"
        raise EnvironmentProblem(f"Containers cannot be used: {problem}; start one, or use `make RUNNER=local ...`.")
    return engine


def is_elsewhere() -> bool:
    """Return whether the client's own choice of engine is another machine's, so that no folder of this one can be
    mounted.
    """
    if host := os.environ.get("DOCKER_HOST", ""):
        return not host.startswith("unix://")
    if _context() in ("", "default"):  # told without asking a client, which takes as long as a finished `make`
        return False
    chosen = _output(require().client, "context", "inspect", "--format", "{{.Endpoints.docker.Host}}") or ""
    return chosen != "" and not chosen.startswith("unix://")


def _context() -> str:
    """Return the Docker context that the client would use, as far as it has been chosen."""
    folder = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
    try:
        return os.environ.get("DOCKER_CONTEXT") or json.loads((folder / "config.json").read_text()).get(
            "currentContext", ""
        )
    except (OSError, ValueError, AttributeError):
        return ""


def _where(host: str) -> list[str]:
    return ([f"--host={host}"] if "://" in host else [f"--context={host}"]) if host else []


def answers() -> bool:
    """Return whether an engine answers, asked at its socket without starting a process (1 ms); elsewhere, as `find`."""
    host = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    if os.environ.get("DOCKER_CONTEXT") or not host.startswith("unix://"):
        return find() is not None
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(_ASK_SECONDS)
            connection.connect(host.removeprefix("unix://"))
            connection.sendall(b"GET /_ping HTTP/1.0\r\nHost: docker\r\n\r\n")
            return connection.recv(64).split()[1:2] == [b"200"] and any(_clients())
    except OSError:
        return False


def _clients() -> Iterator[str]:
    seen = set()
    for folder in os.environ.get("PATH", os.defpath).split(os.pathsep):
        client = Path(folder or ".") / "docker"
        if client.is_file() and os.access(client, os.X_OK) and client.resolve() not in seen:
            seen.add(client.resolve())
            yield str(client)


def _ask(client: str, host: str) -> Engine | None:
    answer = _output(client, *_where(host), "version", "--format", "{{.Client.Version}} {{.Server.Version}}")
    if answer is None or len(answer.split()) != 2:
        return None
    client_version, server_version = answer.split()
    return Engine(client, client_version, server_version, _can_buildkit(client, client_version), host)


def _can_buildkit(client: str, version: str) -> bool:
    if os.environ.get("DOCKER_BUILDKIT") == "0":
        return False
    if _output(client, "buildx", "version") is not None:
        return True
    major = int(version.split(".")[0]) if version.split(".")[0].isdigit() else 0
    return 19 <= major < 23  # later clients moved BuildKit out into the buildx plugin


def _output(*command: str) -> str | None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=_ASK_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
