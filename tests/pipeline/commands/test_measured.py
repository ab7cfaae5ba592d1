"""`make bench`, `prove` and `footprint`: which networks they are about, and a network of one's own by the door that its
user takes.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from microstage.errors import ParameterError
from microstage_runner.commands import prove
from microstage_runner.commands.asked import Asked
from microstage_runner.commands.used import assert_settings_used
from microstage_runner.process import REPOSITORY

USUAL = ["drawn-resnet8", "drawn-ds-cnn"]


def read(tmp_path, command="bench", **typed):
    assert_settings_used(command, typed)
    return Asked.read({"VOLUMES": str(tmp_path), **typed}, USUAL)


@pytest.fixture
def files(tmp_path):
    """Names of files and folders that are there, with nothing of worth in them."""
    for name in ("a.onnx", "b.onnx", "a.tflite", "b.tflite"):
        (tmp_path / name).write_bytes(b"")
    for name in ("before/a", "before/kws-w3a3"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "it.h").write_text("")
    return {name: str(tmp_path / name) for name in ("a.onnx", "b.onnx", "a.tflite", "b.tflite", "before", "before/a")}


def test_without_a_choice_all_drawn_networks_and_lists_mix_what_is_drawn_trained_and_brought_along(tmp_path, files):
    assert [one.name for one in read(tmp_path)] == USUAL and all(one.drawn for one in read(tmp_path))
    brought = {"ONNX": f"{files['a.onnx']},{files['b.onnx']}", "TFLITE": f"{files['a.tflite']},{files['b.tflite']}"}
    asked = read(tmp_path, MODEL="drawn-kws-w3a3,kws-w3a3", **brought)
    assert [(one.name, one.drawn) for one in asked] == [
        ("drawn-kws-w3a3", True),
        ("kws-w3a3", False),
        ("a", False),
        ("b", False),
    ]
    assert [one.beside.get("tflite", Path()).name for one in asked] == ["", "", "a.tflite", "b.tflite"]
    assert asked[3].typed["ONNX"] == files["b.onnx"] and asked[1].typed["MODEL"] == "kws-w3a3"


def test_a_parameter_goes_to_every_network_that_has_it_and_a_list_makes_a_network_of_each(tmp_path):
    asked = read(tmp_path, "prove", MODEL="drawn-ds-cnn,kws-w3a3,harmonic", CYCLES="0.25,0.5", SEED="3")
    assert [one.name for one in asked] == ["drawn-ds-cnn", "kws-w3a3", "harmonic CYCLES=0.25", "harmonic CYCLES=0.5"]
    assert [one.typed.get("CYCLES") for one in asked] == [None, None, "0.25", "0.5"]
    assert [one.typed.get("SEED") for one in asked] == [None, "3", "3", "3"]


def test_an_earlier_version_is_found_by_name_or_is_the_folder_itself(tmp_path, files):
    some = read(tmp_path, MODEL="kws-w3a3", ONNX=f"{files['a.onnx']},{files['b.onnx']}", BASELINE=files["before"])
    assert [one.beside.get("baseline", Path()).name for one in some] == ["kws-w3a3", "a", ""]
    (alone,) = read(tmp_path, ONNX=files["b.onnx"], BASELINE=files["before/a"])
    assert alone.beside["baseline"].name == "a"
    with pytest.raises(ParameterError, match="holds no C of b"):
        read(tmp_path, ONNX=files["b.onnx"], BASELINE=files["before"])


@pytest.mark.parametrize(("command", "typed", "said"), [
    ("bench", {"MODEL": "drawn-resnet9"}, "did you mean drawn-resnet8"),
    ("bench", {"CYCLES": "0.5"}, "CYCLES=0.5 is nothing that drawn-resnet8, drawn-ds-cnn has a use for"),
    ("prove", {"MODEL": "kws-w3a3", "CYCLES": "0.5"}, "CYCLES=0.5 is no parameter of MODEL=kws-w3a3"),
    ("prove", {"TFLITE": "a.tflite"}, "TFLITE=a.tflite is nothing that `make prove` uses"),
    ("footprint", {"ROUNDS": "3"}, "ROUNDS=3 is nothing that `make footprint` uses"),
    ("footprint", {"ONNX": "nowhere.onnx"}, "ONNX=nowhere.onnx is no file"),
    ("bench", {"TFLITE": "a.tflite"}, "names 1 files and ONNX= 0"),
    ("bench", {"MODEL": "kws-w3a3", "EPOCS": "3"}, "did you mean EPOCHS"),
    ("bench", {"FORCE": "1"}, "FORCE=1 is nothing that `make bench` uses"),
])  # fmt: skip
def test_what_is_unknown_or_used_by_nothing_is_said_before_anything_is_made(tmp_path, command, typed, said):
    with pytest.raises(ParameterError, match=said):
        read(tmp_path, command, **typed)


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """(ONNX file of a small int8 network, an empty volume with the checkout's environments)."""
    folder = tmp_path_factory.mktemp("own")
    volumes = folder / "volumes"
    volumes.mkdir()
    (volumes / ".env").symlink_to(REPOSITORY / "volumes" / ".env")
    script = (
        "import sys\n"
        "from microstage_bench.drawn_networks import Drawing\n"
        "from microstage_bench.network import Quantity\n"
        "from microstage_bench.onnx_model import write_onnx\n"
        "from microstage_bench.tflite_model import write_tflite\n"
        "d = Drawing('tiny', (3, 8, 8), Quantity(1 / 128, 3), seed=1)\n"
        "d.conv(8, 3); d.depthwise(3); d.average(); d.flatten(); d.dense(4, relu=False)\n"
        "open(sys.argv[1], 'wb').write(write_onnx(d.network()).SerializeToString())\n"
        "open(sys.argv[2], 'wb').write(write_tflite(d.network()))\n"
    )
    python = next((REPOSITORY / "volumes" / ".env").glob("rivals-*/bin/python"))
    subprocess.run(
        [python, "-c", script, folder / "tiny.onnx", folder / "tiny.tflite"],
        check=True,
        env={"PYTHONPATH": str(REPOSITORY / "shared")},
    )
    return folder / "tiny.onnx", volumes


@pytest.fixture
def quick(tmp_path):
    """A compiler that optimises nothing: it is done with the interpreter's kernels in a tenth of the time."""
    program = tmp_path / "cc"
    program.write_text('#!/bin/sh\nexec gcc "$@" -O0\n')
    program.chmod(0o755)
    return program


def make(own, *words):
    onnx, volumes = own
    command = ["make", *words, f"ONNX={onnx}", f"VOLUMES={volumes}", "RUNNER=local"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def test_a_network_of_ones_own_is_measured_as_the_stages_made_it_beside_its_files_and_an_earlier_version(own, quick):
    code, out, err = make(own, "cbackend")
    assert code == 0, out + err
    (folder,) = [path.parent for path in (own[1] / "cbackend").glob("*/manifest.json")]
    beside = (f"TFLITE={own[0].with_suffix('.tflite')}", f"BASELINE={folder}")
    code, out, err = make(own, "bench", *beside, "ROUNDS=2", f"CC={quick}")
    assert code == 0 and "running (" not in out, out + err
    rows = [line for line in out.splitlines() if line.startswith("| ")]
    rivals = ("onnxruntime ", "onnxruntime uint8 ", "litert ", "tflm ")
    for name in ("C99 ", "vector ", "interpreter", "before: C99 ", *rivals):
        assert any(row.startswith(f"| {name}") for row in rows), name
    assert "tiny: 18,464 multiply-accumulates" in out and "all 256 equal" in out and "of the .tflite file's" in out


def test_a_network_of_ones_own_is_proven_as_the_stages_made_it(own, monkeypatch):
    asked, typed = [], {"ONNX": str(own[0]), "VOLUMES": str(own[1]), "RUNNER": "local", "VECTORS": "60"}
    monkeypatch.setattr(
        prove.subprocess, "run", lambda command, **_: asked.append(command) or SimpleNamespace(returncode=0)
    )
    assert prove.command(typed, REPOSITORY) == 0
    *_, script, vectors, seconds, network = asked[-1]
    (graphs,), (c,) = (
        [path.parent for path in (own[1] / stage).glob("*/manifest.json")] for stage in ("streamline", "cbackend")
    )
    assert Path(script).name == "prove.py" and (vectors, seconds) == ("--vectors=60", "--seconds=30")
    assert json.loads(network) == ["tiny", str(graphs), str(c)]


def test_a_network_of_ones_own_has_a_footprint_beside_that_of_the_same_layers_on_a_library(own):
    tflite, library = f"TFLITE={own[0].with_suffix('.tflite')}", Path(__file__).with_name("naive_nn")
    code, out, err = make(own, "footprint", tflite, f"AGAINST={library}", "MACHINE=cortex-m4")
    if "not installed" in out:
        pytest.skip(out)
    assert code == 0 and "its answers are TFLite Micro's, to the bit" in out, out + err
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in out.splitlines() if line.startswith("| ")]
    ours, theirs = ([row for row in rows if row[:2] == ["gcc -O2", "cortex-m4"] and len(row) == n] for n in (9, 10))
    (flash, instructions, cycles), (their_flash, ratio) = (ours[0][2], *ours[0][-2:]), theirs[0][2:4]
    assert int(cycles.replace(",", "")) > int(instructions.replace(",", "")) > 18_464
    assert ratio == f"{int(flash.replace(',', '')) / int(their_flash.replace(',', '')):.2f}"
    by_layer = [row for row in rows if len(row) == 3 and row[0][0].isdigit()]
    assert sum(int(products.replace(",", "")) for _, products, _ in by_layer) == 18_464


def test_a_machine_or_a_library_that_is_none_is_said_before_anything_is_made(own):
    for typed, said in (
        ("MACHINE=m4", "MACHINE=m4 is not known: expected cortex-m0+"),
        ("AGAINST=/", "no folder of CMSIS"),
    ):
        code, out, err = make(own, "footprint", typed)
        assert code == 2 and said in err and "running" not in out
