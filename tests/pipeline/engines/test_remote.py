"""Stages on another machine's engine, over a real ssh: a second dockerd with its own data root, socket and network.

Skipped, saying why, where such a second machine cannot be played (no root, no sshd, no dockerd, no base image).
"""

from __future__ import annotations

import io
import os
import shutil
import signal
import subprocess
import tarfile
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from crafted import member
from places import SHARED

from microstage.errors import EnvironmentProblem, ParameterError, StageFailed
from microstage_runner.engines import backend, bases, engine, memory, remote, users
from microstage_runner.engines.images import Image
from microstage_runner.engines.stage_run import StageRun

STAGE = """
import mmap, os, sys, time
from microstage.stage import stage_main

def run(job):
    seen = job.scratch / "seen"
    seen.write_text(seen.read_text() + "again" if seen.exists() else "first")
    text = (job.inputs["data"] / "deep" / "input").read_text()
    time.sleep(job.parameters.get("sleep", 0) if seen.read_text() == "first" else 0)
    if job.parameters.get("fail"):
        raise SystemExit(7)
    (job.scratch / "logs").mkdir(exist_ok=True)
    size = job.parameters.get("mebibytes", 0) << 20
    taken = mmap.mmap(-1, size or 1)  # shared: the container's limit counts it, the process's own does not
    for place in range(0, size, 4096):
        taken[place] = 1
    (job.scratch / "logs" / "log").write_text("told")
    (job.output / "sub").mkdir()
    (job.output / "sub" / "answer").write_text(text * 2 + seen.read_text())
    (job.output / "sub" / "user").write_text(str(os.getuid()))

raise SystemExit(stage_main("toy", run))
"""
DOCKERFILE = "ARG BASE\nFROM ${BASE}\nCOPY . /opt\nENV PYTHONPATH=/opt/shared:/opt/stage\nUSER 1000\n"


@pytest.fixture(scope="session")
def box(tmp_path_factory):
    """HOST=ssh://root@box: the URL, the second engine's own client command, and a way to cut every connection."""
    needed = [program for program in ("dockerd", "sshd", "ssh", "unshare", "ip") if not _which(program)]
    if needed or os.geteuid() != 0:
        pytest.skip(f"a second machine needs {' '.join(needed) or 'root'}")
    here = engine.find()
    reference = here and next(
        (r for r in map(bases.tag, ("3.11", "3.10")) if not here.call("image", "inspect", r).returncode), None
    )
    if reference is None:
        pytest.skip("no engine with a base image: `make base`")
    machine = _Machine(tmp_path_factory.mktemp("box"))
    try:
        machine.start()
        machine.take_image(here, reference)
        yield machine
    finally:
        machine.stop()


def _which(program: str) -> str | None:
    return shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


class _Machine:
    def __init__(self, folder: Path) -> None:
        self.folder, self.url, self.image = folder, "ssh://root@box", "microstage/toy:test"
        self.socket = f"unix://{folder}/docker.sock"
        self.processes: list[subprocess.Popen] = []

    def start(self) -> None:
        self.dockerd = self._serve(
            "unshare",
            "--net",
            "sh",
            "-c",
            'ip link set lo up; exec dockerd "$@"',
            "dockerd",
            f"--host={self.socket}",
            f"--data-root={self.folder}/data",
            f"--exec-root={self.folder}/exec",
            f"--pidfile={self.folder}/pid",
            "--bridge=none",
            "--iptables=false",
        )
        for key in ("host", "user"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.folder / key)], check=True)
        Path("/run/sshd").mkdir(exist_ok=True)
        (self.folder / "sshd_config").write_text(
            f"Port 22622\nListenAddress 127.0.0.1\nHostKey {self.folder}/host\n"
            "PidFile none\nStrictModes no\nUsePAM no\n"
            f"AuthorizedKeysFile {self.folder}/user.pub\nPermitRootLogin yes\nSetEnv DOCKER_HOST={self.socket}\n"
        )
        self.sshd = self._serve(_which("sshd"), "-D", "-f", str(self.folder / "sshd_config"))
        (self.folder / "ssh_config").write_text(
            f"Host box\n HostName 127.0.0.1\n Port 22622\n IdentityFile {self.folder}/user\n"
            f" StrictHostKeyChecking no\n UserKnownHostsFile {self.folder}/known\n LogLevel ERROR\n"
        )
        wrapper = self.folder / "bin" / "ssh"
        wrapper.parent.mkdir()
        wrapper.write_text(f'#!/bin/sh\nexec {_which("ssh")} -F {self.folder}/ssh_config "$@"\n')
        wrapper.chmod(0o755)
        os.environ["PATH"] = f"{wrapper.parent}:{os.environ['PATH']}"
        for _ in range(60):
            if self.call("version").returncode == 0:
                return
            time.sleep(1)
        pytest.skip("a second dockerd does not start here: " + (self.folder / "log").read_text()[-200:])

    def _serve(self, *command: str) -> subprocess.Popen:
        process = subprocess.Popen(
            command, stdout=(self.folder / "log").open("a"), stderr=subprocess.STDOUT, start_new_session=True
        )
        self.processes.append(process)
        return process

    def take_image(self, here: engine.Engine, reference: str) -> None:
        saved = here.call("save", reference).stdout
        subprocess.run(["docker", f"--host={self.socket}", "load"], input=saved, check=True, stdout=subprocess.DEVNULL)
        context = io.BytesIO()
        with tarfile.open(fileobj=context, mode="w", format=tarfile.GNU_FORMAT) as archive:
            archive.add(SHARED / "microstage", "shared/microstage")
            for name, text in {
                "stage/microstage_toy/__init__.py": "",
                "stage/microstage_toy/__main__.py": STAGE,
                "Dockerfile": DOCKERFILE,
            }.items():
                member = tarfile.TarInfo(name)
                member.size = len(text)
                archive.addfile(member, io.BytesIO(text.encode()))
        command = [
            "docker",
            f"--host={self.socket}",
            "build",
            "--network=none",
            f"--build-arg=BASE={reference}",
            f"--tag={self.image}",
            "-",
        ]
        done = subprocess.run(
            command, input=context.getvalue(), capture_output=True, env={**os.environ, "DOCKER_BUILDKIT": "0"}
        )
        assert done.returncode == 0, done.stderr

    def call(self, *words: str) -> subprocess.CompletedProcess:
        return subprocess.run(["docker", f"--host={self.socket}", *words], capture_output=True, text=True)

    def names(self, *words: str) -> list[str]:
        return self.call(*words).stdout.split()

    def cut(self) -> None:
        """Kill what serves the connections, as a pulled plug would."""
        children = subprocess.run(["pgrep", "-P", str(self.sshd.pid)], capture_output=True, text=True).stdout.split()
        grown = [
            g
            for c in children
            for g in subprocess.run(["pgrep", "-P", c], capture_output=True, text=True).stdout.split()
        ]
        for pid in [*grown, *children]:
            try:
                os.kill(int(pid), signal.SIGKILL)
            except ProcessLookupError:
                pass

    def stop(self) -> None:
        for process in reversed(self.processes):
            process.terminate()
        for process in self.processes:
            process.wait()


@pytest.fixture
def there(box, tmp_path, monkeypatch):
    """(run, folder): the toy stage through `RemoteBackend`, image given."""
    (tmp_path / "data" / "deep").mkdir(parents=True)
    (tmp_path / "data" / "deep" / "input").write_text("ab")
    found = engine.require(box.url)
    subject = remote.RemoteBackend(tmp_path, tmp_path, box.url)
    subject.images = SimpleNamespace(
        engine=lambda: found, ensure=lambda stage, verify=False: Image("toy", "", box.image, "", {}, [])
    )

    def run(name: str, **parameters) -> int:
        for folder in ("out", "scratch"):
            (tmp_path / name / folder).mkdir(parents=True, exist_ok=True)
        toy, place = SimpleNamespace(name="toy"), tmp_path / name
        return subject.run(StageRun(toy, {"data": tmp_path / "data"}, parameters, place / "out", place / "scratch"))

    return run, tmp_path


def test_inputs_go_there_outputs_and_logs_come_back_and_nothing_stays(box, there):
    run, folder = there
    assert run("a") == 0
    assert (folder / "a/out/sub/answer").read_text() == "ababfirst"
    assert (folder / "a/out/sub/user").read_text() == str(users.of_stages(folder)[0]) != "0"
    assert (folder / "a/scratch/logs/log").read_text() == "told"
    assert box.names("ps", "--all", "--quiet") == [] and box.names("volume", "ls", "--quiet") == []


def test_the_exit_code_passes_and_nothing_comes_back(box, there):
    run, folder = there
    assert run("b", fail=1) == 7
    assert list((folder / "b/out").iterdir()) == [] and box.names("ps", "--all", "--quiet") == []
    assert [name.rsplit("-", 1)[1] for name in box.names("volume", "ls", "--quiet")] == [
        "scratch"
    ]  # the next call goes on there
    box.call("volume", "prune", "--force")


def test_a_stage_that_takes_more_than_its_memory_there_says_so(box, there, monkeypatch):
    run, folder = there
    monkeypatch.setattr(memory, "_typed", "96m")
    with pytest.raises(StageFailed, match="needs more memory than 96m"):
        run("d", mebibytes=200)
    assert list((folder / "d/out").iterdir()) == [] and box.names("ps", "--all", "--quiet") == []
    box.call("volume", "prune", "--force")


def test_a_cut_link_ends_the_stage_there_and_the_next_call_goes_on(box, there):
    run, folder = there
    failed: list[BaseException] = []

    def attempt() -> None:
        try:
            run("c", sleep=600)
        except BaseException as error:
            failed.append(error)

    calling = threading.Thread(target=attempt)
    calling.start()
    wait_for(lambda: box.names("ps", "--quiet") != [])
    time.sleep(2)
    box.cut()
    calling.join(60)
    assert not calling.is_alive() and isinstance(failed[0], EnvironmentProblem)
    wait_for(lambda: box.names("ps", "--quiet") == [])
    assert list((folder / "c/out").iterdir()) == []
    assert run("c", sleep=600) == 0
    assert (folder / "c/out/sub/answer").read_text() == "ababfirstagain"
    assert box.names("ps", "--all", "--quiet") == [] and box.names("volume", "ls", "--quiet") == []


def wait_for(condition) -> None:
    for _ in range(600):
        if condition():
            return
        time.sleep(0.5)
    raise AssertionError("waited five minutes in vain")


@pytest.fixture
def fetched(tmp_path):
    """What an engine's `docker cp` streams, fetched into out/."""

    def fetched(streamed: bytes, code: int = 0) -> Path:
        client = tmp_path / "docker"
        (tmp_path / "streamed").write_bytes(streamed)
        client.write_text(f"#!/bin/sh\n/bin/cat {tmp_path}/streamed; exit {code}\n")
        client.chmod(0o755)
        remote._Place(engine.Engine(str(client), "", "", False), "name", "image", (1, 1)).fetch(
            "/out", tmp_path / "out"
        )
        return tmp_path / "out"

    return fetched


def streamed(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for header, data in members:
            archive.addfile(header, io.BytesIO(data))
    return buffer.getvalue()


FOLDER = (member("out", 0, type=tarfile.DIRTYPE), b"")


def test_what_a_stage_wrote_elsewhere_takes_the_place_of_what_was_here(fetched, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out").symlink_to(
        tmp_path / "elsewhere"
    )  # as a stage with a folder of this machine's could have left it
    out = fetched(streamed(FOLDER, (member("out/sub/answer", 2), b"42")))
    assert (
        (out / "sub/answer").read_text() == "42"
        and not out.is_symlink()
        and not list((tmp_path / "elsewhere").iterdir())
    )


@pytest.mark.parametrize(
    "odd",
    [
        member("out/a", 0, type=tarfile.SYMTYPE, linkname="/etc"),
        member("out/a", 0, type=tarfile.LNKTYPE, linkname="out/b"),
        member("out/a", 0, type=tarfile.FIFOTYPE),
        member("out/../../evil", 0),
        member("/evil", 0),
        member("out/a\nb", 0),
        member("", 0),
        member("out/a", 1 << 62),
        member("out/b", 1),
        member("out/b/c", 0),
        member("out/a", 0, type=tarfile.GNUTYPE_SPARSE),
        member("out/a", 1 << 40, type=tarfile.GNUTYPE_LONGNAME),
        member("out/a", -512),
    ],
    ids=[
        "link",
        "hard link",
        "pipe",
        "out",
        "absolute",
        "line",
        "none",
        "too large",
        "twice",
        "file as folder",
        "sparse",
        "name",
        "below zero",
    ],
)
def test_what_no_stage_writes_is_one_sentence_and_nothing_written(fetched, tmp_path, odd):
    whole = streamed(FOLDER, (member("out/b", 1), b"b"))
    with pytest.raises((EnvironmentProblem, OSError)) as error:
        fetched(whole[:1536] + odd.tobuf(tarfile.GNU_FORMAT) + bytes(10240))
    assert "\n" not in str(error.value) and not (tmp_path / "evil").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["docker", "streamed"]


@pytest.mark.parametrize("cut", [0, 700, 1100])
def test_a_stream_that_is_cut_is_a_broken_link(fetched, tmp_path, cut):
    whole = streamed(FOLDER, (member("out/b", 600), b"b" * 600))
    with pytest.raises(EnvironmentProblem, match="The link to the engine broke"):
        fetched(whole[:cut])
    with pytest.raises(EnvironmentProblem, match="The link to the engine broke"):
        fetched(whole, code=1)
    assert not (tmp_path / "out").exists()


def test_stages_on_names_stages_and_hosts(tmp_path):
    for stage in ("train", "export"):
        (tmp_path / "stages" / stage).mkdir(parents=True)
        (tmp_path / "stages" / stage / "stage.toml").write_text("")
    chosen, _ = backend.choose("local", tmp_path, tmp_path, stages_on="train=ssh://box")
    assert (
        chosen.elsewhere["train"].host == "ssh://box"
        and set(chosen.elsewhere) == {"train"}
        and chosen.here.name == "local"
    )
    for wrong in ("tran=ssh://box", "train", "train="):
        with pytest.raises(ParameterError, match="expected STAGE=HOST"):
            backend.choose("local", tmp_path, tmp_path, stages_on=wrong)
    with pytest.raises(ParameterError, match="needs containers"):
        backend.choose("local", tmp_path, tmp_path, host="ssh://box")
