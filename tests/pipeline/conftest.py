"""A toy checkout: two stages that add and join numbers, on the runner's own interpreter."""

from __future__ import annotations

import compileall
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).parents[2]

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

DRIVER = """
import os, sys
from pathlib import Path
from microstage_runner.engines import backend
from microstage_runner import cli
from microstage_runner.engines import local

class Here(local.LocalBackend):
    name = "here"
    def platform(self, stage):
        return {"python": "3", "libc": "any"}

pythons = {"signing": os.environ.get("TOY_SIGNING")}  # the one environment with packages that a test may need
local.Environments.ensure = lambda self, version, lock: Path(pythons.get(lock.parent.name, sys.executable))
kept = local.stage_environment
local.stage_environment = lambda scratch: kept(scratch) | {k: v for k, v in os.environ.items() if k.startswith("TOY_")}
backend.choose = lambda wanted, repository, volumes, *elsewhere: (Here(repository, volumes), "toy")
"""

COMMAND_LINE = """
raise SystemExit(cli.main(sys.argv[1:], Path(os.environ["TOY_ROOT"])))
"""


def hear_interrupts() -> None:
    """A background job of a shell inherits an ignored SIGINT, one of nohup SIGHUP; the process under test shall not."""
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


class Toy:
    """A toy checkout and the way to call its runner; `shared` is what it copies: our packages, and their bytecode."""

    def __init__(self, root: Path, shared: Path) -> None:
        self.root = root
        shutil.copytree(shared, root / "shared")
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

    def start(self, *words: str, around: Callable[[], None] = hear_interrupts, **environment: str) -> subprocess.Popen:
        """The runner on `words`; `around` is called in its process before it begins."""
        base = {"PATH": os.environ["PATH"], "PYTHONPATH": str(self.root / "shared"), "HOME": str(self.root)}
        base |= {"TOY_ROOT": str(self.root), "TOY_LOG": str(self.log), **environment}
        return self._popen(DRIVER + COMMAND_LINE, *words, env=base, preexec_fn=around)

    def python(self, text: str) -> subprocess.Popen:
        """A program of its own, in the checkout's folder."""
        return self._popen(text, env={"PATH": os.environ["PATH"], "PYTHONPATH": "shared"}, cwd=self.root)

    @staticmethod
    def _popen(text: str, *words: str, **how: Any) -> subprocess.Popen:
        return subprocess.Popen(
            [sys.executable, "-c", text, *words],
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            **how,
        )

    def call(self, *words: str, **given: Any) -> tuple[int, str, str]:
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


def _command(pid: str) -> str:
    try:
        return Path("/proc", pid, "cmdline").read_text(errors="replace")
    except OSError:
        return ""


@pytest.fixture(scope="session")
def shared(tmp_path_factory):
    """The runner's packages, compiled once: each toy checkout would otherwise compile them anew."""
    folder = tmp_path_factory.mktemp("packages") / "shared"
    for package in ("microstage", "microstage_runner"):
        shutil.copytree(REPOSITORY / "shared" / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    compileall.compile_dir(folder, quiet=1)
    return folder


@pytest.fixture
def toy(tmp_path, shared):
    return Toy(tmp_path, shared)
