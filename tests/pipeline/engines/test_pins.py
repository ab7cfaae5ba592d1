"""What others publish is taken by its content: actions by commit, packages as the wheels of a lock."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from places import REPOSITORY

from microstage.errors import EnvironmentProblem
from microstage_runner.engines import local

WORKFLOWS = sorted((REPOSITORY / ".github").rglob("*.y*ml"))
_BY_COMMIT = re.compile(
    r"(\./\S+|[\w.-]+(/[\w.-]+)+@[0-9a-f]{40} # v\d+\.\d+\.\d+|docker://\S+@sha256:[0-9a-f]{64}.*)$"
)


def test_every_action_is_pinned_by_commit():
    used = [
        line.split("uses:", 1)[1].strip()
        for path in WORKFLOWS
        for line in path.read_text().splitlines()
        if "uses:" in line
    ]
    assert len(used) >= 5 and [entry for entry in used if not _BY_COMMIT.match(entry)] == []
    assert not any(
        map(_BY_COMMIT.match, ["actions/checkout@v4", "actions/checkout@main", "a/b@" + "0" * 39, "docker://alpine:3"])
    )


@pytest.fixture
def index(tmp_path, monkeypatch):
    """A folder of packages that stands for the package index, and a lock of `thing` with the
    hash of one of its files.
    """
    uv = local.Environments(REPOSITORY / "volumes" / ".env")._find_uv()
    monkeypatch.setattr(local.Environments, "_find_uv", lambda self: uv)
    monkeypatch.setattr(local, "_sources", lambda lock, *options: ["--no-index", "--find-links", str(tmp_path)])

    def lock(file: Path) -> Path:
        path = tmp_path / "stage" / "requirements.lock"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"thing==1.0 --hash=sha256:{hashlib.sha256(file.read_bytes()).hexdigest()}\n")
        return path

    return tmp_path, lock


def source_archive(folder: Path) -> Path:
    """A source archive whose building, as it would be, leaves a file behind."""
    project = folder / "thing-1.0"
    project.mkdir()
    (project / "PKG-INFO").write_text("Metadata-Version: 2.1\nName: thing\nVersion: 1.0\n")
    (project / "pyproject.toml").write_text(
        "[build-system]\nrequires = []\nbuild-backend = 'own'\nbackend-path = ['.']\n"
    )
    (project / "own.py").write_text(f"open({str(folder / 'built')!r}, 'w')\n")
    return Path(shutil.make_archive(str(folder / "thing-1.0"), "gztar", folder, project.name))


def wheel(folder: Path) -> Path:
    path, about = folder / "thing-1.0-py3-none-any.whl", "thing-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("thing.py", "")
        archive.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: thing\nVersion: 1.0\n")
        archive.writestr(
            f"{about}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{about}/RECORD", "")
    return path


def test_an_environment_takes_wheels_alone_and_runs_nothing_of_what_it_installs(index):
    folder, lock = index
    environments = local.Environments(folder / ".env")
    archive = lock(source_archive(folder))
    for install in (lambda: environments.overlay(archive), lambda: environments.ensure("3.11", archive)):
        with pytest.raises(EnvironmentProblem, match="uv pip install"):
            install()
    assert not (folder / "built").exists() and not list((folder / ".env").glob("stage-*[!t]"))
    assert (environments.overlay(lock(wheel(folder))) / "thing.py").exists()


def test_uv_itself_comes_as_a_wheel_of_its_lock(tmp_path, monkeypatch):
    """Where there is none; what is run then is recorded here instead."""
    monkeypatch.setattr(local.shutil, "which", lambda name: None)
    ran: list[list[str]] = []
    monkeypatch.setattr(
        local.subprocess,
        "run",
        lambda command, **_: ran.append([str(word) for word in command]) or subprocess.CompletedProcess([], 0),
    )
    local.Environments(tmp_path)._find_uv()
    assert ran[0][:3] == [sys.executable, "-m", "venv"]
    assert " ".join(ran[1]).endswith(
        "-m pip install -q --require-hashes --only-binary :all: -r " + str(Path(local.__file__).with_name("uv.lock"))
    )


def test_tools_that_are_fetched_to_be_run_at_once_are_wheels_too():
    lines = [
        line
        for name in ("Makefile", "tests/cbackend/package-check")
        for line in (REPOSITORY / name).read_text().splitlines()
    ]
    fetched = [line for line in lines if "uvx " in line and not line.startswith("#")]
    assert len(fetched) >= 2 and all("uvx --quiet --no-build " in line for line in fetched)
    assert (
        "--require-hashes --only-binary :all: -r shared/microstage_runner/engines/uv.lock"
        in (REPOSITORY / ".ci/run").read_text()
    )
