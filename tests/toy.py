"""A toy checkout: two stages that add and join numbers, on the runner's own interpreter."""

from __future__ import annotations

import compileall
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from places import SHARED

TOY = {
    "first": (
        'name = "first"\npython = "3"\nrole = "training"\nsummary = "Writes a number."\n'
        '[inputs]\n[outputs]\n"number.txt" = "the number"\n'
        '[parameters.model]\ntype = "str"\ndefault = "toy"\nchoices = ["toy", "other"]\nsummary = "Network."\n'
        '[parameters.dataset]\ntype = "str"\ndefault = "generator"\nsummary = "Data."\n'
        '[parameters.cycles]\ntype = "float"\ndefault = 0.5\nmin = 0\nexclusive_min = true\nmax = 4\nunit = "cycles"\n'
        'models = ["toy"]\nsummary = "Window."\n',
        "import os, time\n"
        "def run(job):\n"
        "    (job.scratch / 'runs').open('a').write('run\\n')\n"
        "    with open(os.environ['TOY_LOG'], 'a') as log: log.write('first\\n')\n"
        "    time.sleep(float(os.environ.get('TOY_SLEEP', 0)))\n"
        "    number = str(job.parameters.get('cycles')) + os.environ.get('TOY_NOISE', '')\n"
        "    (job.output / 'number.txt').write_text(number)\n"
        "    job.verified('number', 3, 3)\n",
    ),
    "second": (
        'name = "second"\npython = "3"\nsummary = "Doubles it."\n[inputs.first]\nfrom = "first"\n'
        '[outputs]\n"double.txt" = "twice"\n'
        '[parameters.times]\ntype = "int"\ndefault = 2\nmin = 1\nmax = 9\nsummary = "Factor."\n',
        "import os\nfrom microstage.files.canonical import digest\n"
        "def run(job):\n"
        "    with open(os.environ['TOY_LOG'], 'a') as log: log.write('second\\n')\n"
        "    text = (job.inputs['first'] / 'number.txt').read_text() * job.parameters['times']\n"
        "    (job.output / 'double.txt').write_text(text)\n"
        "    exec(os.environ.get('TOY_DOES', ''))\n"
        "    job.verified('double', 2, 2)\n",
    ),
}

RUNNER = Path(__file__).with_name("toy_runner.py")


def hear_interrupts() -> None:
    """A background job of a shell inherits an ignored SIGINT, one of nohup SIGHUP; the process under test shall not."""
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


class Runners:
    """A process that forks for each command, see toy_runner.py; `packages` is the folder of the runner's packages."""

    def __init__(self, packages: Path) -> None:
        self.calls, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.calls.settimeout(600)
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, RUNNER, "--serve", str(theirs.fileno())],
                env=_around(packages),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                preexec_fn=hear_interrupts,
                start_new_session=True,
            )

    def call(self, words: tuple[str, ...], environment: dict[str, str]) -> tuple[int, str, str]:
        """Return (exit code, output, errors) of a command."""
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
            asked = json.dumps({"words": words, "environment": environment}).encode()
            socket.send_fds(self.calls, [asked], [out.fileno(), err.fileno()])
            code = int(self.calls.recv(64))
            for file in (out, err):
                file.seek(0)
            return code, out.read(), err.read()

    def close(self) -> None:
        self.calls.close()
        self.process.wait(60)


class Packages:
    """The runner's packages, compiled once, as each toy checkout would compile them anew; and its process on them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for package in ("microstage", "microstage_runner"):
            shutil.copytree(SHARED / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
        compileall.compile_dir(folder, quiet=1)
        self.times = self._times()
        self.runners = Runners(folder)

    def _times(self) -> dict[Path, float]:
        return {path: path.stat().st_mtime for path in self.folder.rglob("*.py")}

    def close(self) -> None:
        self.runners.close()
        assert self._times() == self.times, "a test changed a file that all toys share: see Toy.own"


class Toy:
    """A toy checkout, with links to the files of `packages`, and the way to call its runner.

    `own` makes a file its own before a test changes it.
    """

    def __init__(self, root: Path, packages: Packages) -> None:
        self.root, self.runners = root, packages.runners
        self.variables: dict[str, str] = {}  # of the environment, for every command
        shutil.copytree(packages.folder, root / "shared", copy_function=os.link)
        for name, (declared, source) in TOY.items():
            package = root / "stages" / name / f"microstage_{name}"
            package.mkdir(parents=True)
            (package.parent / "stage.toml").write_text(declared)
            (package.parent / "requirements.lock").write_text("")
            (package / "__init__.py").write_text("")
            tail = f"from microstage.stage import stage_main\nraise SystemExit(stage_main('{name}', run))\n"
            (package / "__main__.py").write_text(source + tail)
        self.log = root / "log"
        self.log.write_text("")

    def own(self, path: str) -> Path:
        """Return a file of the checkout, which is no longer one with that of other checkouts."""
        file = self.root / path
        held = file.read_bytes()
        file.unlink()
        file.write_bytes(held)
        return file

    def environment(self, **more: str) -> dict[str, str]:
        """Return what the runner of this checkout finds around itself."""
        toy = {"HOME": str(self.root), "TOY_ROOT": str(self.root), "TOY_LOG": str(self.log)}
        return {**_around(self.root / "shared"), **toy, **self.variables, **more}

    def start(self, *words: str, around: Callable[[], None] = hear_interrupts, **environment: str) -> subprocess.Popen:
        """The runner on `words`, in a process of its own; `around` is called in it before it begins."""
        return _popen([str(RUNNER), *words], env=self.environment(**environment), preexec_fn=around)

    def python(self, text: str) -> subprocess.Popen:
        """A program of its own, in the checkout's folder."""
        return _popen(["-c", text], env={"PATH": os.environ["PATH"], "PYTHONPATH": "shared"}, cwd=self.root)

    def call(self, *words: str, **given: Any) -> tuple[int, str, str]:
        """Return (exit code, output, errors) of the runner on `words`; what is `given` is as of `start`."""
        if not given.keys() & {"around", "PYTHONPATH"}:
            return self.runners.call(words, self.environment(**given))
        process = self.start(*words, **given)
        out, err = process.communicate(timeout=60)
        return process.returncode, out, err

    def started(self, *words: str, **given: Any) -> subprocess.Popen:
        """The runner on `words`, whose first stage has begun and sleeps."""
        self.ran()
        process = self.start(*words, TOY_SLEEP="30", **given)
        self.wait_for(self.log.read_text)
        return process

    @staticmethod
    def wait_for(condition: Callable[[], Any]) -> None:
        end = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < end, "waited in vain"
            time.sleep(0.02)

    def running(self) -> list[str]:
        """Processes that name this checkout."""
        return [pid for pid in os.listdir("/proc") if pid.isdigit() and str(self.root) in _command(pid)]

    def patched(self, source: str) -> str:
        """PYTHONPATH with which every process of the runner runs `source` before anything else."""
        folder = self.root / "patch"
        folder.mkdir(exist_ok=True)
        (folder / "sitecustomize.py").write_text(source)
        return os.pathsep.join([str(folder), str(self.root / "shared")])

    def ran(self) -> list[str]:
        """The stages that ran since the last time this was asked."""
        lines = self.log.read_text().split()
        self.log.write_text("")
        return lines

    def path(self, stage: str, *words: str) -> Path:
        code, out, err = self.call("path", f"STAGE={stage}", *words)
        assert code == 0, err
        return Path(out.strip())


def _around(packages: Path) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "PYTHONPATH": str(packages)}


def _popen(words: list[str], **how: Any) -> subprocess.Popen:
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [sys.executable, *words], text=True, stdout=pipe, stderr=pipe, start_new_session=True, **how
    )


def _command(pid: str) -> str:
    try:
        return Path("/proc", pid, "cmdline").read_text(errors="replace")
    except OSError:
        return ""


@pytest.fixture(scope="session")
def packages(tmp_path_factory):
    made = Packages(tmp_path_factory.mktemp("packages") / "shared")
    yield made
    made.close()


@pytest.fixture
def toy(tmp_path, packages):
    return Toy(tmp_path, packages)
