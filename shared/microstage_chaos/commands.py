"""Commands of the runner as they are called: started, killed, waited for (`__main__` runs them)."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from microstage.errors import StageFailed
from microstage_chaos.outcome import Lost

__all__ = ["STATUS", "Commands", "Ended", "Running"]

STATUS = struct.Struct("i")
"What comes back of a command: its process's number, then its exit code."
_MOST_SECONDS = 900
_ENGINE = ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG")


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    def assert_done(self) -> None:
        """Raise `StageFailed` unless it ended well, as one that nothing disturbs does."""
        if self.code:
            raise StageFailed(f"Undisturbed, it ended with {self.code}: {self.err.strip()[-300:]}", self.code)

    def assert_told(self) -> None:
        """Raise `Lost` unless it ended well, or with a code and sentences in place of a trace."""
        said = f"exit {self.code}: {self.err.strip()[-300:]}"
        if "Traceback" in self.out + self.err or self.code == 70:
            raise Lost(f"a trace in place of a sentence; {said}")
        if self.code and "microstage" not in self.err:
            raise Lost(f"nothing was said; {said}")


class Running:
    """A command at work: its process leads a session of its own."""

    def __init__(self, connection: socket.socket, outputs: Sequence[int]) -> None:
        self._connection, self._said = connection, ["", ""]
        self._readers = [threading.Thread(target=self._read, args=pair, daemon=True) for pair in enumerate(outputs)]
        for reader in self._readers:
            reader.start()
        self.pid = STATUS.unpack(connection.recv(STATUS.size))[0]

    def _read(self, place: int, output: int) -> None:
        with os.fdopen(output, errors="replace") as stream:
            self._said[place] = stream.read()

    def wait(self, seconds: float) -> bool:
        """Return whether it ended within so many seconds."""
        return bool(select.select([self._connection], [], [], seconds)[0])

    def kill(self, group: bool = False) -> None:
        """Send SIGKILL to its process, or to all of its group."""
        try:
            (os.killpg if group else os.kill)(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def ended(self, patience: float = _MOST_SECONDS) -> Ended:
        """Return how it ended, once nothing of it is left; kill it, and raise `Lost`, where it does not within so many
        seconds.
        """
        if not self.wait(patience):
            self.kill(group=True)
            raise Lost(f"it did not end within {patience:.0f} s")
        code = STATUS.unpack(self._connection.recv(STATUS.size))[0]
        self._connection.close()
        end = time.monotonic() + _MOST_SECONDS
        for reader in self._readers:  # a stage holds the outputs, and ends with its runner
            reader.join(max(0.0, end - time.monotonic()))
            if reader.is_alive():
                raise Lost("a process of it runs on")
        return Ended(code, *self._said)


class Commands:
    """The server, in the checkout `checkout`, with the shim `library` loaded; its socket lies in `folder`."""

    def __init__(self, checkout: Path, library: Path, folder: Path) -> None:
        self._place = str(folder / "commands")
        listening = socket.socket(socket.AF_UNIX)
        listening.bind(self._place)
        listening.listen(64)
        engine = {name: os.environ[name] for name in _ENGINE if name in os.environ}
        self.around = {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONDONTWRITEBYTECODE": "1", **engine}
        with listening:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "microstage_chaos", str(listening.fileno())],
                cwd=checkout,
                env={**self.around, "PYTHONPATH": "shared", "LD_PRELOAD": str(library)},
                stdin=subprocess.DEVNULL,
                pass_fds=[listening.fileno()],
                start_new_session=True,
            )

    def start(self, words: Sequence[str], environment: Mapping[str, str], replayed: bool = True) -> Running:
        """Start a command of the runner; `replayed` is with stages that are replayed."""
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(self._place)
        pipes = [os.pipe(), os.pipe()]
        asked = {"words": list(words), "environment": {**self.around, **environment}, "replayed": replayed}
        socket.send_fds(connection, [json.dumps(asked).encode()], [write for _, write in pipes])
        for _, write in pipes:
            os.close(write)
        return Running(connection, [read for read, _ in pipes])

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
