"""Commands of the runner, each in a process that forks from one that has imported all of it.

A command then begins as in a process of its own, but in a tenth of the time; the shim was loaded with the server and
begins to watch where a command's variables ask it to. `python -m microstage_chaos SOCKET` is the server: through the
socket comes, for each command, a connection with its words, its variables and its two outputs.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import os
import pkgutil
import signal
import socket
import sys
from contextlib import suppress

import microstage_runner
from microstage_chaos.commands import STATUS
from microstage_chaos.replaying import replay
from microstage_runner import cli
from microstage_runner.artefacts.digests import Digests
from microstage_runner.process import REPOSITORY

__all__ = ["serve"]


def serve(listening: socket.socket) -> int:
    """Fork for every command that is asked for; return the exit code of the command, in its own process."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the wardens
    _import_all()
    gc.collect()
    gc.freeze()  # no child looks through what all have in common
    while True:
        connection, _ = listening.accept()
        if os.fork() == 0:
            listening.close()
            return _guarded(connection)
        connection.close()


def _import_all() -> None:
    """Import the runner, and parse every source once."""
    for module in pkgutil.walk_packages(microstage_runner.__path__, "microstage_runner."):
        with suppress(ModuleNotFoundError):  # programs that run in an environment of their own
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    digests = Digests()
    for folder in ("shared/microstage", "stages"):
        for path in (REPOSITORY / folder).rglob("*.py"):
            digests.imports(path)


def _guarded(connection: socket.socket) -> int:
    """Start the command, tell its number, wait for it and tell its code; in the command's process, run it."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    text, outputs, *_ = socket.recv_fds(connection, 1 << 16, 2)
    begin, go = os.pipe()
    command = os.fork()
    if command == 0:
        connection.close()
        os.close(go)
        os.read(begin, 1)
        os.close(begin)
        return _run(json.loads(text), outputs)
    for handle in (*outputs, begin):
        os.close(handle)
    connection.sendall(STATUS.pack(command))
    os.close(go)
    _, status = os.waitpid(command, 0)
    with suppress(OSError):  # whoever asked has gone
        connection.sendall(STATUS.pack(os.waitstatus_to_exitcode(status)))
    os._exit(0)


def _run(asked: dict, outputs: list[int]) -> int:
    os.setsid()
    for number, handle in enumerate(outputs, 1):
        os.dup2(handle, number)
        os.close(handle)
    os.environ.clear()
    os.environ.update(asked["environment"])
    ctypes.CDLL(None).shim_begin()
    if asked["replayed"]:
        replay()
    return cli.main(asked["words"])


if __name__ == "__main__":
    raise SystemExit(serve(socket.socket(fileno=int(sys.argv[1]))))
