"""Images: which client builds them, from what bytes, on which base, and when none is built at all."""

from __future__ import annotations

import hashlib
import json
import os
import re
import socket
import threading
import time
from pathlib import Path

import pytest
from places import REPOSITORY

from microstage.errors import EnvironmentProblem
from microstage_runner.declarations.checkout import load_stages
from microstage_runner.engines import bases, engine, image_build, images
from microstage_runner.engines.image_build import context, default_base
from microstage_runner.engines.images import Images

STAGES = tuple(load_stages(REPOSITORY))
# A docker that answers as told and writes down what it was asked.
FAKE = """#!/bin/sh
echo "$DOCKER_BUILDKIT $*" >> {log}
case "$1" in
version) [ -n "{answers}" ] && echo "{answers}" || exit 1 ;;
buildx) exit {buildx} ;;
pull) exit {pull} ;;
build) /bin/cat > "{log}.context"; exit {build} ;;
image) case "$*" in *Layers*) echo '["sha256:aa"]' ;; *Id*) echo sha256:bb ;; esac ;;
run) echo '{{"python": "3.10.13", "libc": "glibc 2.36"}}' ;;
esac
"""


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """Put fake clients on PATH, first to last, each {answers, buildx, pull, build}; returns the log of their calls."""
    log = tmp_path / "calls"
    monkeypatch.delenv("DOCKER_BUILDKIT", raising=False)

    def put(*clients: dict) -> Path:
        folders = []
        for number, client in enumerate(clients):
            path = tmp_path / f"bin{number}" / "docker"
            path.parent.mkdir()
            path.write_text(FAKE.format(**{"log": log, "buildx": 1, "pull": 0, "build": 0, **client}))
            path.chmod(0o755)
            folders.append(str(path.parent))
        monkeypatch.setenv("PATH", os.pathsep.join(folders or [str(tmp_path)]))
        return log

    engine.find.cache_clear()
    yield put
    engine.find.cache_clear()


OLD, NEW = {"answers": "20.10.24+dfsg1 20.10.24"}, {"answers": "28.2.2 20.10.24"}


@pytest.mark.parametrize(
    ("clients", "chosen", "buildkit"),
    [
        ([OLD], 0, True),
        ([NEW], 0, False),
        ([{**NEW, "buildx": 0}], 0, True),
        ([NEW, OLD], 1, True),
        ([{"answers": ""}, NEW], 1, False),
    ],
    ids=["20.10", "28 without buildx", "28 with buildx", "both", "one does not answer"],
)
def test_the_client_that_can_do_most_is_taken(fake, tmp_path, clients, chosen, buildkit):
    fake(*clients)
    found = engine.find()
    assert found.client == str(tmp_path / f"bin{chosen}" / "docker")
    assert found.buildkit is buildkit
    assert found.build_environment()["DOCKER_BUILDKIT"] == str(int(buildkit))


def test_the_user_can_ask_for_the_legacy_builder(fake, monkeypatch):
    fake(OLD)
    monkeypatch.setenv("DOCKER_BUILDKIT", "0")
    assert engine.find().buildkit is False


def test_no_client_and_no_engine_are_told_apart(fake):
    fake()
    with pytest.raises(EnvironmentProblem, match="no docker client is installed.*RUNNER=local"):
        engine.require()


def _answer_once(server, reply):
    with server.accept()[0] as connection:
        connection.recv(1024)
        connection.sendall(reply)


@pytest.mark.parametrize(("reply", "answers"), [(b"HTTP/1.0 200 OK", True), (b"HTTP/1.0 500 No", False), (None, False)])
def test_whether_an_engine_answers_costs_no_process(fake, tmp_path, monkeypatch, reply, answers):
    log = fake(OLD)
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/socket")
    with socket.socket(socket.AF_UNIX) as server:
        if reply:
            server.bind(f"{tmp_path}/socket")
            server.listen()
            threading.Thread(target=_answer_once, args=(server, reply), daemon=True).start()
        assert engine.answers() is answers
    assert not log.exists()


@pytest.fixture
def checkout(tmp_path) -> Path:
    """A repository with one stage, train, as small as it can be."""
    folder = tmp_path / "checkout"
    (folder / "stages/train/microstage_train").mkdir(parents=True)
    (folder / "shared/microstage").mkdir(parents=True)
    (folder / "stages/train/Dockerfile").write_text("ARG BASE=python:3.10-slim@sha256:00\nFROM ${BASE}\n")
    for path in ("requirements.lock", "stage.toml", "microstage_train/__main__.py"):
        (folder / "stages/train" / path).write_text("")
    (folder / "shared/microstage/errors.py").write_text("")
    return folder


def test_a_known_image_costs_no_process(fake, checkout, tmp_path):
    log = fake(OLD)
    built = Images(checkout, tmp_path / "volumes").ensure("train")
    assert built.platform == {"python": "3.10.13", "libc": "glibc 2.36"}
    assert built.base == "python:3.10-slim@sha256:00"
    log.unlink()
    assert Images(checkout, tmp_path / "volumes").ensure("train") == built
    assert not log.exists()


def test_an_edit_builds_another_image(fake, checkout, tmp_path):
    fake(OLD)
    known = Images(checkout, tmp_path / "volumes")
    before = known.ensure("train")
    (checkout / "stages/train/requirements.lock").write_text("another==1")
    assert known.ensure("train").tag != before.tag


def test_an_image_holds_the_bytes_that_its_name_was_made_of_whatever_is_edited_meanwhile(
    fake, checkout, tmp_path, monkeypatch
):
    log, source = fake(OLD), checkout / "stages/train/microstage_train/__main__.py"

    def edited_while_it_is_read(repository: Path, stage: str) -> bytes:
        found = context(repository, stage)
        source.write_text(source.read_text() + "# edited\n")
        return found

    monkeypatch.setattr(images, "context", edited_while_it_is_read)
    image = Images(checkout, tmp_path / "volumes").ensure("train")
    sent = log.with_name(f"{log.name}.context").read_bytes()
    assert image.recipe == hashlib.sha256(image.base.encode() + b"\n" + sent).hexdigest()


def test_without_a_registry_the_stand_in_is_passed_as_base(fake, checkout, tmp_path, capsys):
    log = fake({**OLD, "pull": 1})
    image = Images(checkout, tmp_path / "volumes").ensure("train")
    assert image.base == bases.tag("3.10")
    assert f"--build-arg=BASE={bases.tag('3.10')}" in log.read_text()
    assert "no registry has python:3.10-slim; using the stand-in" in capsys.readouterr().out
    chosen = json.loads((tmp_path / "volumes/.images/bases.json").read_text())
    assert chosen == {"3.10": {"reference": bases.tag("3.10"), "id": "sha256:bb"}}


def test_a_build_that_fails_is_one_sentence_that_names_its_log(fake, checkout, tmp_path):
    fake({**OLD, "build": 1})
    with pytest.raises(EnvironmentProblem, match=r"The image of train does not build: .*train\.log"):
        Images(checkout, tmp_path / "volumes").ensure("train")


@pytest.mark.parametrize("stage", STAGES)
def test_a_build_sees_the_same_bytes_whatever_the_dates_of_the_files(stage, tmp_path):
    copy = tmp_path / "copy"
    for path in [f"stages/{stage}/{name}" for name in ("Dockerfile", "requirements.lock", "stage.toml")]:
        (copy / path).parent.mkdir(parents=True, exist_ok=True)
        (copy / path).write_text(f"{path}\n")
    for package in ("microstage", "microstage_runner"):
        (copy / "shared" / package).mkdir(parents=True)
    (copy / "shared/microstage/errors.py").write_text("")
    before = context(copy, stage)
    (copy / "shared/microstage_runner/new.py").write_text("the runner is not part of an image")
    os.utime(copy / "shared/microstage/errors.py", (time.time() + 9, time.time() + 9))
    assert context(copy, stage) == before
    (copy / "shared/microstage/errors.py").write_text("changed")
    assert context(copy, stage) != before


def test_train_and_export_share_the_layer_that_holds_torch_and_no_lock_names_cuda():
    dockerfiles = [(REPOSITORY / "stages" / stage / "Dockerfile").read_text() for stage in ("train", "export")]
    shared = [re.search(r"^ARG BASE.*?(?=^# What is older)", text, re.M | re.S)[0] for text in dockerfiles]
    assert shared[0] == shared[1] and "-r /torch.lock" in shared[0]
    pins = {path: set(re.findall(r"^\S+==\S+", path.read_text(), re.M)) for path in REPOSITORY.glob("stages/**/*.lock")}
    torch = pins[REPOSITORY / "stages/torch.lock"]
    assert any(pin.startswith("torch==") for pin in torch)
    for stage in ("train", "export"):
        assert torch <= pins[REPOSITORY / f"stages/{stage}/requirements.lock"]
        assert REPOSITORY / "stages/torch.lock" in image_build.context_files(REPOSITORY, stage)
    assert not [pin for found in pins.values() for pin in found if pin.startswith("nvidia-")]


@pytest.mark.parametrize("stage", STAGES)
def test_bases_are_pinned_by_digest_and_the_user_is_not_root(stage):
    text = (REPOSITORY / "stages" / stage / "Dockerfile").read_text()
    assert default_base(REPOSITORY, stage)[0].count("@sha256:") == 1
    assert [line for line in text.splitlines() if line.startswith("USER")] == ["USER 1000:1000"]
    assert "# syntax" not in text and "<<" not in text, "a plain `docker build` of Docker 20.10 reads neither"


def test_apt_sources_are_read_in_both_formats(tmp_path):
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list").write_text(
        "# deb http://old bookworm main\ndeb [arch=amd64] http://a bookworm main contrib\n"
    )
    (tmp_path / "sources.list.d/x.sources").write_text(
        "Types: deb\n# a comment\nURIs: http://b\nSuites: bookworm bookworm-updates\nComponents: main\n\n"
        "Types: deb\nURIs: http://c\nSuites: bookworm-security other\nComponents: main\nSigned-By: /k\n"
    )
    expected = [("http://a", "bookworm"), ("http://b", "bookworm"), ("http://b", "bookworm-updates")]
    assert bases._apt_sources(tmp_path) == [*expected, ("http://c", "bookworm-security")]
