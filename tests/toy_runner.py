"""The runner on a toy checkout (toy.py): `python toy_runner.py WORD...` is one command, as make would start it.

`python toy_runner.py --serve SOCKET` is a process that has imported all of the runner, and forks for each command that
comes through the socket: a command then begins as in a process of its own, but in a tenth of the time.
"""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import shutil
import socket
import sys
from contextlib import suppress
from pathlib import Path

import microstage_runner
from microstage.errors import EnvironmentProblem
from microstage_runner import cli
from microstage_runner.commands import compare_runs
from microstage_runner.engines import backend, local
from microstage_runner.engines.foreseen import Foreseen
from microstage_runner.pipeline import rendering
from microstage_runner.sweeping import job, jobs

__all__ = ["on_this_interpreter"]


class Here(local.LocalBackend):
    """Stages on the interpreter that runs the tests."""

    name = "here"

    def platform(self, stage):
        return {"python": "3", "libc": "any"}

    def foreseen(self, stage):
        return Foreseen(self.platform(stage))


def on_this_interpreter() -> None:
    """Let the runner of this process make no environment, write pages itself, and hand variables of the toy on to its
    stages.
    """

    def ensure(self, version: str, lock: Path) -> Path:
        """The environments with packages that a test may need are those of signing and of sweeps."""
        return Path(os.environ.get(f"TOY_{lock.parent.name.upper()}", sys.executable))

    pinned = local.stage_environment
    local.Environments.ensure = ensure
    local.stage_environment = lambda scratch: (
        pinned(scratch) | {name: value for name, value in os.environ.items() if name.startswith("TOY_")}
    )
    rendering.run_report = _written
    jobs.PROGRAM = (sys.executable, __file__, "--job")
    compare_runs.run_module = lambda *words: None  # no TensorBoard here
    backend.choose = lambda wanted, repository, volumes, *elsewhere: (Here(repository, volumes), "toy")


def _written(volumes: Path, asked: Path, facts: Path, page: Path) -> None:
    """Stand for the report: a page that holds what was asked for."""
    if said := os.environ.get("TOY_REPORT_FAILS"):
        raise EnvironmentProblem(said)
    shutil.copy(asked, facts)
    shutil.copy(asked, page)


def served(calls: socket.socket) -> list[str]:
    """Return the words of a command, in a process of its own for each; this one answers with its exit code."""
    for module in pkgutil.walk_packages(microstage_runner.__path__, "microstage_runner."):
        with suppress(ModuleNotFoundError):  # a toy has no benchmarks
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    while True:
        asked, files, *_ = socket.recv_fds(calls, 1 << 16, 2)
        if not asked:
            raise SystemExit
        child = os.fork()
        if child == 0:
            calls.close()
            return _alone(json.loads(asked), files)
        for file in files:
            os.close(file)
        calls.send(str(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])).encode())


def _alone(asked: dict, files: list[int]) -> list[str]:
    """Take the environment and the outputs of a command."""
    os.setsid()
    for number, file in enumerate(files, 1):
        os.dup2(file, number)
        os.close(file)
    os.environ.clear()
    os.environ.update(asked["environment"])
    return asked["words"]


if __name__ == "__main__":
    on_this_interpreter()
    words = sys.argv[1:]
    if words[:1] == ["--serve"]:
        words = served(socket.socket(fileno=int(words[1])))
    if words[:1] == ["--job"]:
        raise SystemExit(job.main(words[1:], Path(os.environ["TOY_ROOT"])))
    raise SystemExit(cli.main(words, Path(os.environ["TOY_ROOT"])))
