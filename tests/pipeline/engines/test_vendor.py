"""Building from a folder alone: what is collected, what is refused, and where installers are sent."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
import zipfile
from pathlib import Path

import pytest
from places import REPOSITORY

from microstage.errors import EnvironmentProblem, IntegrityError, ParameterError
from microstage_runner.commands import vendor as vendor_collect
from microstage_runner.declarations.checkout import load_stages
from microstage_runner.engines import bases, engine, image_archive
from microstage_runner.engines import offline as vendor
from microstage_runner.engines.local import Environments

STAGES = tuple(load_stages(REPOSITORY))
WHEEL = "wheels/microstage_toy-1.0-py3-none-any.whl"  # on no index: only the folder can have it


def write_wheel(folder: Path, name: str = "microstage_toy", text: str = "here = True\n") -> str:
    """A wheel of one module; its SHA-256."""
    about = f"{name}-1.0.dist-info"
    files = {
        f"{name}.py": text,
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{about}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{about}/RECORD"] = "".join(f"{path},,\n" for path in [*files, f"{about}/RECORD"])
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for member, content in files.items():
            wheel.writestr(member, content)
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """`checkout`, a repository with one lock, and `vendored`, what `make vendor` makes of it where pip looks into
    `site`.
    """
    root = tmp_path_factory.mktemp("made")
    lock = root / "checkout/stages/train/requirements.lock"
    lock.parent.mkdir(parents=True)
    lock.write_text(f"microstage-toy==1.0 --hash=sha256:{write_wheel(root / 'site')}\n")
    (lock.parent / "Dockerfile").write_text("ARG BASE=x\nFROM ${BASE}\n")
    (root / "vendored/wheels").mkdir(parents=True)
    (root / "vendored/wheels/old.whl").write_text("of a lock that is no more")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PIP_NO_INDEX", "1")
        patch.setenv("PIP_FIND_LINKS", str(root / "site"))
        alone(patch, lock)
        vendor_collect.collect(root / "checkout", root / "volumes", str(root / "vendored"))
    return root


def alone(patch: pytest.MonkeyPatch, lock: Path) -> None:
    """No engine, no other lock."""
    patch.setattr(vendor_collect, "locks", lambda repository: [lock])
    patch.setattr(vendor_collect, "load_stages", lambda repository: {})
    patch.setattr(engine, "find", lambda *_: None)


@pytest.fixture
def checkout(made, tmp_path, monkeypatch) -> Path:
    monkeypatch.delenv(vendor.VARIABLE, raising=False)
    return shutil.copytree(made / "checkout", tmp_path / "checkout")


@pytest.fixture
def collected(made, checkout, tmp_path, monkeypatch) -> Path:
    """A copy of the collected folder, chosen with VENDOR=."""
    monkeypatch.setenv(vendor.VARIABLE, str(tmp_path / "vendored"))
    return shutil.copytree(made / "vendored", tmp_path / "vendored")


def lock_of(checkout: Path) -> Path:
    return checkout / "stages/train/requirements.lock"


def test_what_was_collected_installs_without_any_other_source(collected, checkout, tmp_path, monkeypatch):
    uv = Environments(REPOSITORY / "volumes" / ".env")._find_uv()  # that of this test run; the folder holds none
    monkeypatch.setattr(Environments, "_find_uv", lambda self: uv)
    index = json.loads((collected / "index.json").read_text())
    assert list(index["files"]) == [WHEEL], "a wheel of no lock is dropped"
    installed = Environments(tmp_path / "env").overlay(lock_of(checkout))
    code = "import microstage_toy; assert microstage_toy.here"
    subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": str(installed)}, check=True)


def test_a_folder_that_is_not_whole_is_no_folder(checkout, collected, tmp_path, monkeypatch):
    alone(monkeypatch, lock_of(checkout))
    monkeypatch.setattr(vendor_collect, "_wheels", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        vendor_collect.collect(checkout, tmp_path / "volumes", str(collected))
    monkeypatch.setenv(vendor.VARIABLE, str(collected))
    with pytest.raises(EnvironmentProblem, match="has no readable index.json; `make vendor"):
        Environments(tmp_path / "env").overlay(lock_of(checkout))


def test_collecting_needs_a_folder(checkout, tmp_path):
    with pytest.raises(ParameterError, match="VENDOR= is missing"):
        vendor_collect.collect(checkout, tmp_path, None)


@pytest.mark.parametrize(
    ("harm", "complaint"),
    [
        (lambda folder, lock: (folder / WHEEL).unlink(), f"lacks {WHEEL}"),
        (
            lambda folder, lock: write_wheel(folder / "wheels", text="other = 1\n"),
            f"{WHEEL} was changed: its SHA-256 is",
        ),
        (
            lambda folder, lock: lock.write_text(lock.read_text() + "# edited\n"),
            "was collected for another stages/train/requirements.lock",
        ),
    ],
    ids=["missing", "tampered", "another lock"],
)
def test_what_cannot_be_trusted_is_refused_by_name_and_nothing_is_made(collected, checkout, tmp_path, harm, complaint):
    harm(collected, lock_of(checkout))
    with pytest.raises((IntegrityError, EnvironmentProblem), match=complaint) as refusal:
        Environments(tmp_path / "env").overlay(lock_of(checkout))
    assert str(refusal.value).startswith(f"VENDOR={collected}") and "\n" not in str(refusal.value)
    assert not [path for path in (tmp_path / "env").iterdir() if not path.name.startswith(".")]
    with (
        pytest.raises((IntegrityError, EnvironmentProblem), match=complaint),
        vendor.build_arguments(checkout, "train"),
    ):
        pass


def test_a_wheel_swapped_together_with_its_index_is_not_in_the_lock(collected, checkout):
    index = json.loads((collected / "index.json").read_text())
    index["files"][WHEEL] = write_wheel(collected / "wheels", text="other = 1\n")
    (collected / "index.json").write_text(json.dumps(index))
    with pytest.raises(IntegrityError, match="holds no wheel of microstage-toy that train/requirements.lock allows"):
        vendor.chosen().wheels(lock_of(checkout))


def fetch(address: str) -> bytes:
    with urllib.request.urlopen(address, timeout=10) as answer:
        return answer.read()


def test_a_build_is_sent_to_the_folder_over_loopback_and_sees_nothing_else(collected, checkout, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", "https://index.example/simple")
    monkeypatch.setenv("http_proxy", "")
    with vendor.build_arguments(checkout, "train") as options:
        arguments = dict(option.removeprefix("--build-arg=").split("=", 1) for option in options)
        address = arguments["PIP_INDEX_URL"].removesuffix("/simple")
        assert address.startswith("http://127.0.0.1:")
        page = fetch(f"{address}/simple/microstage-toy/").decode()
        assert fetch(address + page.split('"')[1]) == (collected / WHEEL).read_bytes()
        for other in ("/simple/pip/", "/index.json", "/wheels/../index.json", "/wheels/%2e%2e/index.json"):
            with pytest.raises(urllib.error.HTTPError, match="404"):
                fetch(address + other)
    with pytest.raises(urllib.error.URLError):
        fetch(f"{address}/simple/microstage-toy/")


def test_without_a_folder_a_build_uses_what_the_site_has(checkout, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", "https://index.example/simple")
    with vendor.build_arguments(checkout, "train") as options:
        assert "--build-arg=PIP_INDEX_URL" in options and not any("127.0.0.1" in option for option in options)


class FakeEngine:
    """Knows one image, with one layer, and would write down what it was asked."""

    command = ("false",)

    def __init__(self, layer: str = "aa") -> None:
        self.layers, self.asked = [f"sha256:{layer * 32}"], []

    def run(self, *words: str) -> str:
        self.asked.append(words)
        return json.dumps(self.layers)


def with_base(folder: Path) -> Path:
    """The archive of a base that the index lists."""
    (folder / "bases").mkdir(exist_ok=True)
    (folder / "bases/3.10.tar").write_bytes(b"an archive")
    index = json.loads((folder / "index.json").read_text())
    index["files"]["bases/3.10.tar"] = hashlib.sha256(b"an archive").hexdigest()
    index["bases"]["3.10"] = {"id": "python:3.10-slim@sha256:00", "layers": FakeEngine().layers}
    (folder / "index.json").write_text(json.dumps(index))
    return folder / "bases/3.10.tar"


def test_a_loaded_base_keeps_its_id_so_that_recipes_stay_equal(collected, monkeypatch):
    archive, loaded, docker = with_base(collected), [], FakeEngine()
    monkeypatch.setattr(image_archive, "load", lambda *words: loaded.append(words))
    assert vendor.chosen().load_base(docker, "3.10") == {
        "reference": bases.vendored_tag("3.10"),
        "id": "python:3.10-slim@sha256:00",
    }
    assert loaded == [(docker, archive, bases.vendored_tag("3.10"), docker.layers)]


def test_a_base_that_is_not_the_collected_one_is_refused(collected, monkeypatch):
    archive, docker = with_base(collected), FakeEngine()
    with pytest.raises(
        IntegrityError, match=r"The image archive 3\.10\.tar is refused"
    ):  # images of any names may be in it
        vendor.chosen().load_base(docker, "3.10")
    archive.write_bytes(b"another")
    with pytest.raises(IntegrityError, match=r"bases/3\.10\.tar was changed"):
        vendor.chosen().load_base(docker, "3.10")
    assert not docker.asked, "nothing of it reaches the engine"
    with pytest.raises(EnvironmentProblem, match=r"no base image of Python 3\.11"):
        vendor.chosen().load_base(docker, "3.11")


@pytest.mark.parametrize(
    "change",
    [
        lambda index: index["files"].update({"../evil": "0" * 64}),
        lambda index: index["files"].update({"wheels/x": 1}),
        lambda index: index["bases"].update({"3.10": {"id": "x", "layers": ["aa"]}}),
        lambda index: index["bases"].update({"3.10": {"id": "x"}}),
        lambda index: index.update(files=[["a", "b"]]),
        lambda index: index["bases"].update({"../x": {"id": "x", "layers": []}}),
    ],
    ids=["a file elsewhere", "no digest", "no layer", "no layers", "a list", "a base elsewhere"],
)
def test_an_index_that_lists_anything_else_is_none(collected, change):
    index = json.loads((collected / "index.json").read_text())
    change(index)
    (collected / "index.json").write_text(json.dumps(index))
    with pytest.raises(EnvironmentProblem, match="has no readable index.json"):
        vendor.chosen()


_DEBIAN = {"cbackend": ["gcc", "libc6-dev"], "rtl": ["g++", "libc6-dev", "make", "verilator=5.006-3"]}


@pytest.mark.parametrize("stage", STAGES)
def test_a_dockerfile_takes_its_packages_from_where_it_is_told(stage):
    path = REPOSITORY / "stages" / stage / "Dockerfile"
    assert "ARG PIP_INDEX_URL" in path.read_text()
    assert vendor.debian_packages(path) == _DEBIAN.get(stage, [])
    assert ("apt-get" in path.read_text()) == ("ARG APT_SOURCE" in path.read_text())


def test_every_lock_that_is_installed_is_collected():
    names = {path.relative_to(REPOSITORY).as_posix() for path in vendor.locks(REPOSITORY)}
    assert {f"stages/{stage}/requirements.lock" for stage in STAGES} < names
    assert {
        "tests/requirements.lock",
        "tests/streamline/requirements.lock",
        "shared/microstage_runner/engines/uv.lock",
    } < names
    assert {f"shared/{part}/requirements.lock" for part in ("microstage_runner/signing", "microstage_report")} < names
