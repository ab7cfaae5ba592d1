"""Another machine, played by an sshd on loopback: whoever comes by ssh finds the container engine of this one."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

from microstage_chaos.outcome import Skipped

__all__ = ["SecondMachine"]

_PLACES = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
_NEEDED = ("sshd", "ssh", "ssh-keygen", "docker", "pgrep")
_START_SECONDS = 30


class SecondMachine:
    """`url` for HOST=, `around` the variables that a command needs to find it; keys and settings lie in `folder`."""

    url = "ssh://box"

    def __init__(self, folder: Path) -> None:
        self._folder, self._port = folder, _free_port()
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "bin").mkdir(parents=True)
        for key in ("host", "user"):
            words = ["-q", "-t", "ed25519", "-N", "", "-f", str(folder / key)]
            subprocess.run([_program("ssh-keygen"), *words], check=True)
        self._write("sshd_config", _SSHD.format(folder=folder, port=self._port, engine=_engine()))
        self._write("ssh_config", _SSH.format(folder=folder, port=self._port))
        self._write("bin/ssh", f'#!/bin/sh\nexec {_program("ssh")} -F {folder}/ssh_config "$@"\n')
        (folder / "bin" / "ssh").chmod(0o755)
        self._sshd = self._started()
        self.around = {"PATH": f"{folder}/bin:{os.environ['PATH']}"}

    @staticmethod
    def assert_possible() -> None:
        """Raise `Skipped` where a program is missing that plays it."""
        if missing := [program for program in _NEEDED if not shutil.which(program, path=_PLACES)]:
            raise Skipped(f"{' and '.join(missing)} is not here")

    def cut(self) -> None:
        """Kill what serves the connections, as a pulled plug would."""
        for pid in reversed(_descendants(self._sshd.pid)):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass

    def stop(self) -> None:
        self._sshd.terminate()
        self._sshd.wait()

    def _started(self) -> subprocess.Popen[bytes]:
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)
        with (self._folder / "log").open("wb") as log:
            command = [_program("sshd"), "-D", "-e", "-f", str(self._folder / "sshd_config")]
            sshd = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        end = time.monotonic() + _START_SECONDS
        while time.monotonic() < end and sshd.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self._port), 1).close()
                return sshd
            except OSError:
                time.sleep(0.1)
        sshd.kill()
        raise Skipped(f"sshd does not start: {(self._folder / 'log').read_text()[-200:].strip()}")

    def _write(self, name: str, text: str) -> None:
        (self._folder / name).write_text(text)


def _program(name: str) -> str:
    return shutil.which(name, path=_PLACES) or name


def _engine() -> str:
    """Return the address at which the engine of this machine answers."""
    return os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def _descendants(pid: int) -> list[int]:
    """Return the processes that stem from one, each behind its parent."""
    said = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True).stdout
    return [one for child in map(int, said.split()) for one in (child, *_descendants(child))]


_SSHD = """Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host
PidFile none
StrictModes no
UsePAM no
MaxStartups 100
AuthorizedKeysFile {folder}/user.pub
PermitRootLogin yes
SetEnv DOCKER_HOST={engine}
"""
_SSH = """Host box
 HostName 127.0.0.1
 Port {port}
 IdentityFile {folder}/user
 StrictHostKeyChecking no
 UserKnownHostsFile {folder}/known
 LogLevel ERROR
"""
