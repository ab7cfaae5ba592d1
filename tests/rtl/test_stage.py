"""The stage as the runner runs it: what it publishes is proven, what is not equal is not published."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from small import OUTPUTS, VECTORS, artefact

from microstage.stage import stage_main
from microstage_rtl.__main__ import run

pytestmark = pytest.mark.skipif(not shutil.which("verilator"), reason="Verilator is not installed")
RANDOM = 50


def made(folder: Path, source: Path, *words: str) -> tuple[int, Path]:
    """Return (exit code, output folder) of the stage."""
    settings = [word for said in (f"random_vectors={RANDOM}", "lanes=2", *words) for word in ("--set", said)]
    out = folder / "out"
    given = ["--in", f"streamline={source}", *settings, "--out", str(out), "--scratch", str(folder / "scratch")]
    return stage_main("rtl", run, given), out


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    return artefact(tmp_path_factory.mktemp("small") / "source")


@pytest.fixture(scope="module")
def published(source, tmp_path_factory) -> Path:
    """What the stage made of the small network, with the iCE40 as its device. Not to be changed."""
    code, out = made(tmp_path_factory.mktemp("published"), source, "device=ice40-up5k", "place=true")
    assert code == 0
    return out


def test_every_boundary_is_equal_in_the_program_the_sources_and_the_netlist(published):
    report = json.loads((published / "report.json").read_text())
    compared = {said["boundary"]: said["compared"] for said in report["verification"]}
    assert compared["program, hidden"] == 5 * VECTORS and compared["program, answers"] == OUTPUTS * VECTORS
    for boundary in ("golden", "golden, with stalls", "golden, netlist, with stalls"):
        assert compared[boundary] == OUTPUTS * VECTORS
    assert compared["random, with stalls"] == compared["random, netlist, with stalls"] == OUTPUTS * RANDOM
    assert all(said["compared"] == said["equal"] for said in report["verification"])


def test_what_was_placed_is_counted_and_has_a_bitstream(published):
    said = json.loads((published / "resources.json").read_text())
    assert said["device"] == "iCE40 UP5K" and said["fits"] is True
    used, there = said["placed"]["used"]["ICESTORM_LC"]
    assert 0 < said["takes"]["LUT4"] <= used <= there == 5280
    assert said["placed"]["clock_mhz"] > 1 and said["cycles_per_frame"] > 6
    assert (published / "two_layers.bit").stat().st_size > 10_000


def test_the_folder_is_checked_by_its_own_makefile(published, tmp_path):
    folder = shutil.copytree(published / "rtl", tmp_path / "rtl")
    done = subprocess.run(["make", "check"], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.count(f"compared {OUTPUTS * VECTORS} differ 0") == 2
    lines = (folder / "vectors" / "expected.txt").read_text().splitlines()
    last, data = lines[4].split()
    lines[4] = f"{last} {int(data, 16) ^ 1:x}"
    (folder / "vectors" / "expected.txt").write_text("\n".join(lines) + "\n")
    done = subprocess.run(["make", "check"], cwd=folder, capture_output=True, text=True)
    assert done.returncode and "differ 1 " in done.stdout and "beat 4 is" in done.stderr


@pytest.mark.parametrize(
    ("kind", "said"),
    [("a weight", "integers of input.txt differ"), ("a golden integer", "At hidden integer differs")],
)
def test_one_wrong_integer_ends_the_stage_with_code_3(source, tmp_path, monkeypatch, capsys, kind, said):
    broken = shutil.copytree(source, tmp_path / "source")
    if kind == "a weight":
        import microstage_rtl.__main__ as stage

        whole = stage.write_folder

        def wrong(folder: Path, top: str, program) -> None:
            whole(folder, top, program)
            words = next(folder.glob("weights*.hex")).read_text()
            next(folder.glob("weights*.hex")).write_text(re.sub("^.", lambda c: f"{int(c[0], 16) ^ 1:x}", words))

        monkeypatch.setattr(stage, "write_folder", wrong)
    else:
        golden = dict(np.load(broken / "golden.npz"))
        golden["hidden"][3, 2] ^= 1
        np.savez(broken / "golden.npz", **golden)
    code, out = made(tmp_path, broken)
    assert code == 3 and not (out / "report.json").exists()
    assert said.split()[0] in capsys.readouterr().err


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("part=nothing", "PART=nothing is none of the network's parts"),
        ("device=xc7", "PLACE=1 needs a device that nextpnr knows"),
    ],
)
def test_what_cannot_be_asked_for_is_one_sentence(source, tmp_path, capsys, word, sentence):
    code, _ = made(tmp_path, source, word, "place=true")
    assert code == 2 and sentence in capsys.readouterr().err
