"""The stage as the runner runs it, and networks that many tests read."""

from pathlib import Path

import prove
import pytest
from drawn import write_network
from kernel_network import every_kernel
from networks import harmonic_artefact
from stepped_integers import stepped_artefact

from microstage.stage import stage_main
from microstage_cbackend.__main__ import run
from microstage_cbackend.network_file.replay import compiled_once


def run_in(folder: Path, source: Path) -> tuple[int, Path]:
    """Run the stage as the runner does; return (exit code, output folder)."""
    out = folder / "out"
    words = ["--in", f"streamline={source}", "--out", str(out), "--scratch", str(folder / "scratch")]
    return stage_main("cbackend", run, words), out


@pytest.fixture
def run_stage(tmp_path):
    """`run_stage(source)` gives (exit code, output folder)."""
    return lambda source: run_in(tmp_path, source)


@pytest.fixture
def one_form(monkeypatch):
    """`make prove` with one compilation of the C, on this machine, and the interpreter that the stage has compiled."""
    monkeypatch.setattr(prove, "FORMS", [("gcc", ("-O1", *prove.SANITIZERS))])
    monkeypatch.setattr(prove, "_machines", list)
    monkeypatch.setattr(prove, "INTERPRETERS", [("gcc", ("-O1",))])
    monkeypatch.setattr(prove, "compile_interpreter", lambda *_: compiled_once())


@pytest.fixture(scope="session")
def harmonic_source(tmp_path_factory) -> Path:
    """A network of encoder, recurrent cell and head, as streamline writes it. Not to be changed."""
    return harmonic_artefact(tmp_path_factory.mktemp("harmonic"))


@pytest.fixture(scope="session")
def stepped_source(tmp_path_factory) -> Path:
    """A network whose parts all run at every step. Not to be changed."""
    return stepped_artefact(tmp_path_factory.mktemp("stepped"))


@pytest.fixture(scope="session")
def every_kernel_source(tmp_path_factory) -> Path:
    """A network that calls every vectorised kernel. Not to be changed."""
    return write_network(every_kernel(), tmp_path_factory.mktemp("every_kernel"))


@pytest.fixture(scope="session")
def harmonic_made(harmonic_source, tmp_path_factory) -> Path:
    """What the stage made of `harmonic_source`. Not to be changed."""
    code, out = run_in(tmp_path_factory.mktemp("harmonic_made"), harmonic_source)
    assert code == 0
    return out


@pytest.fixture(scope="session")
def stepped_made(stepped_source, tmp_path_factory) -> Path:
    """What the stage made of `stepped_source`. Not to be changed."""
    code, out = run_in(tmp_path_factory.mktemp("stepped_made"), stepped_source)
    assert code == 0
    return out
