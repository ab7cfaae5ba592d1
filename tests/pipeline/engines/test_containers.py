"""The promises of a stage's container, each tried in a real one; skipped, saying why, where no engine answers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from places import REPOSITORY, SHARED
from toy import hear_interrupts

from microstage.errors import EnvironmentProblem, ParameterError, StageFailed
from microstage_runner import cli
from microstage_runner.engines import bases, containers, engine, memory, users
from microstage_runner.engines.image_build import default_base
from microstage_runner.engines.stage_run import StageRun

USER = users.of_stages(Path("/"))


@pytest.fixture(scope="session")
def docker() -> engine.Engine:
    found = engine.find()
    if found is None:
        pytest.skip("no docker engine answers: `make doctor` says how to get one")
    return found


@pytest.fixture(scope="session")
def image(docker: engine.Engine) -> str:
    """Any image with Python will do: a stand-in base, or the real one."""
    for reference in (
        bases.tag("3.11"),
        bases.tag("3.10"),
        bases.vendored_tag("3.11"),
        default_base(REPOSITORY, "cbackend")[0],
    ):
        if docker.call("image", "inspect", reference).returncode == 0:
            return reference
    pytest.skip("no base image: `make base`")


@pytest.fixture
def run(docker, image, tmp_path):
    """Run a Python program in a hardened container with /in/data read-only and /out, /scratch; (exit code, folder)."""
    for name in ("data", "out", "scratch"):
        (tmp_path / name).mkdir()
    (tmp_path / "data" / "input").write_text("given")
    tmp_path.chmod(0o755)

    def program(text: str) -> int:
        mounts = {
            Path("/in/data"): (tmp_path / "data", True),
            Path("/out"): (tmp_path / "out", False),
            Path("/scratch"): (tmp_path / "scratch", False),
        }
        name = containers.container_name("toy", tmp_path / "out")
        with users.lent([tmp_path / "out", tmp_path / "scratch"], USER, tmp_path):
            return containers.run_container(
                docker, image, name, USER, mounts, {"GREETING": "hello"}, ["python", "-c", text]
            )

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


def test_no_stage_is_root_and_its_output_belongs_to_whom_the_volume_belongs(run):
    program, folder = run
    assert program("import os; open('/out/uid', 'w').write('%d:%d' % (os.getuid(), os.getgid()))") == 0
    assert (folder / "out" / "uid").read_text() == f"{USER[0]}:{USER[1]}" and USER[0] != 0
    assert (folder / "out" / "uid").stat().st_uid == folder.stat().st_uid


def test_a_container_that_takes_more_than_its_memory_is_killed_and_says_so(run, monkeypatch):
    program, _ = run
    memory.choose("96m")
    with pytest.raises(
        StageFailed, match="needs more memory than 96m; nothing was published. MEMORY= gives it more"
    ) as failed:
        program("x = bytearray(200 << 20)")
    assert failed.value.exit_code == 137
    large = "[sys.executable, '-c', 'bytearray(200 << 20)']"
    child = f"import subprocess, sys; raise SystemExit(subprocess.call({large}) and 2)"
    with pytest.raises(StageFailed, match="needs more memory than 96m"):
        program(child)
    assert program("x = bytearray(8 << 20)") == 0


def test_no_capability_and_no_new_privilege(run):
    program, folder = run
    assert program("open('/out/status', 'w').write(open('/proc/self/status').read())") == 0
    status = dict(line.split(":\t", 1) for line in (folder / "out" / "status").read_text().splitlines())
    assert {status[name] for name in ("CapEff", "CapPrm", "CapBnd")} == {"0" * 16}
    assert status["NoNewPrivs"] == "1"


def test_temporary_folder_is_writable_and_environment_and_exit_code_pass(run):
    program, _ = run
    assert (
        program("import os; open('/tmp/x', 'w'); raise SystemExit(7 if os.environ['GREETING'] == 'hello' else 1)") == 7
    )


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_however_the_runner_ends_no_container_stays(docker, image, tmp_path, ending):
    text = f"""
from pathlib import Path
from microstage_runner.engines import containers
from microstage_runner.engines import engine
folder = Path({str(tmp_path)!r})
name = containers.container_name("toy", folder)
print(name, flush=True)
containers.run_container(engine.require(), {image!r}, name, {USER}, {{Path("/scratch"): (folder, False)}}, {{}},
    ["python", "-c", "import time; open('/scratch/began', 'w'); time.sleep(300)"])
"""
    os.chown(tmp_path, *USER)
    environment = {**os.environ, "PYTHONPATH": str(SHARED)}
    runner = subprocess.Popen(
        [sys.executable, "-c", text],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
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
        containers.run_container(
            docker, "microstage/none:none", "microstage-toy-none", USER, {}, {}, [], ("--pull=never",)
        )


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


@pytest.fixture(autouse=True)
def any_memory():
    """As if nobody had typed MEMORY=."""
    yield
    memory.choose(None)


@pytest.fixture
def as_root(monkeypatch):
    monkeypatch.setattr(os, "getuid", lambda: 0)
    monkeypatch.delenv("SUDO_UID", raising=False)
    monkeypatch.delenv("SUDO_GID", raising=False)
    return monkeypatch


def owned_by(uid: int, gid: int) -> SimpleNamespace:
    return SimpleNamespace(stat=lambda: SimpleNamespace(st_uid=uid, st_gid=gid))


def test_root_runs_stages_as_the_owner_of_the_volume_or_as_who_called_sudo_or_as_nobody(as_root):
    assert users.of_stages(owned_by(0, 0)) == users.of_stages(Path("/not/there")) == users.NOBODY
    as_root.setenv("SUDO_UID", "0")
    assert users.of_stages(owned_by(0, 0)) == users.NOBODY
    as_root.setenv("SUDO_UID", "1234")
    as_root.setenv("SUDO_GID", "99")
    assert users.of_stages(owned_by(0, 0)) == (1234, 99)
    assert users.of_stages(owned_by(7, 8)) == (7, 8)
    as_root.setattr(os, "getuid", lambda: 4321)
    assert users.of_stages(owned_by(7, 8)) == (4321, os.getgid())


def test_an_input_that_is_closed_to_the_stages_user_is_named(tmp_path, as_root):
    tmp_path.chmod(0o755)
    users.assert_readable([tmp_path], (4321, 4321))
    tmp_path.chmod(0o750)
    users.assert_readable([tmp_path], (4321, tmp_path.stat().st_gid))
    with pytest.raises(EnvironmentProblem, match=r"cannot be read by user 4321, .*`chmod -R a\+rX"):
        users.assert_readable([tmp_path], (4321, 4321))


@pytest.mark.parametrize("text", ["", "4", "4x", "-1g", "1.5g", "lots", "4 g", "0g", "63m"])
def test_what_is_no_amount_of_memory_is_one_sentence(text):
    with pytest.raises(
        ParameterError, match=f"^MEMORY={text} is (no amount of memory|too little for any stage): expected "
    ):
        cli.run_command(["train", f"MEMORY={text}"])


class Roomy(engine.Engine):
    """An engine whose machine has 8 GiB."""

    def run(self, *arguments: str, **_: object) -> str:
        return str(8 << 30)


def test_a_container_gets_the_machines_memory_less_a_reserve_or_what_was_typed():
    roomy = Roomy("docker", "", "", False)
    assert memory.options(roomy) == [f"--memory={7 << 30}", f"--memory-swap={7 << 30}"]
    memory.choose("512M")
    assert memory.options(roomy) == [f"--memory={512 << 20}", f"--memory-swap={512 << 20}"]
    memory.choose("9g")
    with pytest.raises(ParameterError, match="MEMORY=9g is more than the engine's machine has: expected 8192m or less"):
        memory.options(roomy)


def test_a_local_stage_gets_no_more_than_was_typed(tmp_path, toy):
    source = toy.root / "stages/first/microstage_first/__main__.py"
    source.write_text(source.read_text().replace("def run(job):\n", "def run(job):\n    bytearray(300 << 20)\n"))
    code, _, said = toy.call("first", "MEMORY=128m")
    assert code == 2 and "needs more memory than the machine, or MEMORY=, has" in said
    assert "is more than this machine has" in toy.call("first", "MEMORY=999999g")[2]
    assert toy.call("first", "MEMORY=1g")[0] == 0


def test_every_stage_gets_its_user_its_memory_and_folders_of_its_own(tmp_path):
    """With a client that writes down what it is asked, so that this holds where no engine answers."""
    client, told, place = tmp_path / "docker", tmp_path / "told", tmp_path / "volumes"
    client.write_text(
        '#!/bin/sh\nif [ "$1" = info ]; then echo 8589934592; fi\n'
        f'if [ "$1" = run ]; then echo "$@" > {told}; '
        f"stat -c %u {place}/out {place}/scratch/old >> {told}; touch {place}/out/made; fi\n"
    )
    client.chmod(0o755)
    for folder in ("out", "scratch", "in"):
        (place / folder).mkdir(parents=True)
    (place / "scratch" / "old").write_text("of an earlier run")
    backend = containers.DockerBackend(REPOSITORY, place)
    answering = engine.Engine(str(client), "", "", False)
    backend.images = SimpleNamespace(
        ensure=lambda *_, **__: SimpleNamespace(stage="toy", tag="toy"), engine=lambda: answering
    )
    given = StageRun(SimpleNamespace(name="toy"), {"data": place / "in"}, {}, place / "out", place / "scratch")
    assert backend.run(given) == 0
    command, *owners = told.read_text().splitlines()
    assert {f"--user={USER[0]}:{USER[1]}", f"--memory={7 << 30}", f"--memory-swap={7 << 30}"} <= set(command.split())
    assert USER[0] != 0 and owners == [str(USER[0])] * 2
    assert {path.stat().st_uid for path in place.rglob("*")} == {place.stat().st_uid}
