"""The promises of a stage's container, each tried in a real one; skipped, saying why, where no engine answers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import hear_interrupts

from microstage.errors import EnvironmentProblem
from microstage.runner import bases, containers, engine
from microstage.runner.images import _default_base

REPOSITORY = Path(__file__).resolve().parents[2]
SHARED = REPOSITORY / "shared"


@pytest.fixture(scope="session")
def docker() -> engine.Engine:
    found = engine.find()
    if found is None:
        pytest.skip("no docker engine answers: `make doctor` says how to get one")
    return found


@pytest.fixture(scope="session")
def image(docker: engine.Engine) -> str:
    """Any image with Python will do: a stand-in base, or the real one."""
    for reference in (bases.tag("3.11"), bases.tag("3.10"), bases.vendored_tag("3.11"), _default_base(REPOSITORY, "cbackend")[0]):
        if docker.call("image", "inspect", reference).returncode == 0:
            return reference
    pytest.skip("no base image: `make base`")


@pytest.fixture
def run(docker, image, tmp_path):
    """Run a Python program in a hardened container with /in/data read-only and /out, /scratch; (exit code, folder)."""
    for name in ("data", "out", "scratch"):
        (tmp_path / name).mkdir()
    (tmp_path / "data" / "input").write_text("given")

    def program(text: str) -> int:
        mounts = {
            Path("/in/data"): (tmp_path / "data", True),
            Path("/out"): (tmp_path / "out", False),
            Path("/scratch"): (tmp_path / "scratch", False),
        }
        name = containers.container_name("toy", tmp_path / "out")
        return containers.run_container(docker, image, name, mounts, {"GREETING": "hello"}, ["python", "-c", text])

    return program, tmp_path


def refused(action: str) -> str:
    return f"try:\n    {action}\nexcept OSError as refusal:\n    raise SystemExit(42)\nraise SystemExit(0)"


def test_the_network_is_cut(run):
    program, _ = run
    assert program(refused("import socket; socket.create_connection(('192.0.2.1', 80), 3)")) == 42
    interfaces = "import socket; raise SystemExit(0 if [n for _, n in socket.if_nameindex()] == ['lo'] else 1)"
    assert program(interfaces) == 0


@pytest.mark.parametrize("folder", ["/", "/usr/local", "/opt", "/var/tmp", "/in/data"])
def test_nothing_but_output_and_scratch_can_be_written(run, folder):
    program, _ = run
    assert program(refused(f"open('{folder}/new', 'w')")) == 42


def test_an_input_cannot_be_changed(run):
    program, folder = run
    assert program(refused("open('/in/data/input', 'a')")) == 42
    assert (folder / "data" / "input").read_text() == "given"


def test_output_belongs_to_the_caller(run):
    program, folder = run
    assert program("import os; open('/out/uid', 'w').write('%d:%d' % (os.getuid(), os.getgid()))") == 0
    assert (folder / "out" / "uid").read_text() == f"{os.getuid()}:{os.getgid()}"
    assert (folder / "out" / "uid").stat().st_uid == os.getuid()


def test_no_capability_and_no_new_privilege(run):
    program, folder = run
    assert program("open('/out/status', 'w').write(open('/proc/self/status').read())") == 0
    status = dict(line.split(":\t", 1) for line in (folder / "out" / "status").read_text().splitlines())
    assert {status[name] for name in ("CapEff", "CapPrm", "CapBnd")} == {"0" * 16}
    assert status["NoNewPrivs"] == "1"


def test_temporary_folder_is_writable_and_environment_and_exit_code_pass(run):
    program, _ = run
    assert program("import os; open('/tmp/x', 'w'); raise SystemExit(7 if os.environ['GREETING'] == 'hello' else 1)") == 7


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_however_the_runner_ends_no_container_stays(docker, image, tmp_path, ending):
    text = f"""
from pathlib import Path
from microstage.runner import containers, engine
folder = Path({str(tmp_path)!r})
name = containers.container_name("toy", folder)
print(name, flush=True)
containers.run_container(engine.require(), {image!r}, name, {{Path("/scratch"): (folder, False)}}, {{}},
    ["python", "-c", "import time; open('/scratch/began', 'w'); time.sleep(300)"])
"""
    environment = {**os.environ, "PYTHONPATH": str(SHARED)}
    runner = subprocess.Popen(
        [sys.executable, "-c", text], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment,
        preexec_fn=hear_interrupts,
    )
    name = runner.stdout.readline().strip()
    assert wait_until((tmp_path / "began").exists), "the container did not start"
    runner.send_signal(ending)
    runner.wait(30)
    runner.stdout.close()
    assert wait_until(lambda: docker.run("ps", "--all", "--quiet", "--filter", f"name={name}") == "")


def test_an_engine_that_cannot_start_a_container_is_one_sentence(docker, tmp_path):
    with pytest.raises(EnvironmentProblem, match="could not run the container"):
        containers.run_container(docker, "microstage/none:none", "microstage-toy-none", {}, {}, [], ("--pull=never",))


@pytest.mark.parametrize("path", ["/plain", "/with,comma", '/with "quotes"'])
def test_any_path_can_be_mounted(path):
    import csv

    fields = next(csv.reader([containers._mount(Path("/in/a"), Path(path), True)]))
    assert fields == ["type=bind", f"source={path}", "target=/in/a", "readonly"]


def wait_until(condition, seconds: float = 20) -> bool:
    limit = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > limit:
            return False
        time.sleep(0.05)
    return True
