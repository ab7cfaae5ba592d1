"""A network of the zoo through every stage: FPGAI's files, and all forms of the network side by side."""

import json
from pathlib import Path

import doors
import numpy as np
import pytest

from microstage.errors import ParameterError, VerificationError
from microstage.fpgai import read_binary, read_text
from microstage_runner.commands import compare
from microstage_runner.process import REPOSITORY
from microstage_runner.session import Session

SMALL = ("MODEL=lenet", "WIDTH=2", "IMAGES=100", "EPOCHS=1", "RUNNER=local")


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    """What `make compare MODEL=lenet` said, and where its artefacts are."""
    volumes = doors.volumes(tmp_path_factory.mktemp("zoo") / "volumes")
    done = doors.made("compare", *SMALL, f"VOLUMES={volumes}")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout, volumes


def test_integers_are_equal_in_numpy_in_c_and_in_the_interpreter_on_every_test_picture(compared):
    said, _ = compared
    forms = ["raw", "quantised", "NumPy", "C", "interpreter"]
    rows = [line.split() for line in said.splitlines() if line.split()[:1] and line.split()[0] in forms]
    assert [row[0] for row in rows] == forms
    assert all(len(row) == 7 and row[2] == "%" for row in rows), "its accuracy, and beside each other form"
    assert "integers of NumPy, C, interpreter: 4,000 of 4,000 equal" in said.splitlines()


def test_it_ends_by_naming_the_page_of_the_run(compared):
    said, volumes = compared
    page = Path(said.splitlines()[-1].removeprefix("page: "))
    assert page.parent == volumes / "report" and page.stat().st_size < 2_000_000
    facts = json.loads(page.with_suffix(".json").read_text())
    assert (facts["title"], facts["kind"], facts["verdict"]["state"]) == ("lenet", "classifier", "proven")
    assert [row["stage"] for row in facts["proofs"]] == ["export", "qcdq", "streamline", "cbackend"]
    assert all(row["compared"] == row["equal"] > 0 for row in facts["proofs"])
    assert sum(map(sum, facts["confusion"]["counts"])) == 256 and len(facts["scores"]["rows"]) == 12
    [manifest] = volumes.glob("cbackend/*/manifest.json")
    metrics = json.loads(manifest.read_text())["microstage"]["metrics"]
    assert sum(row.get("flash", 0) for row in facts["layers"]["rows"]) == metrics["constant_bytes"]
    ours = [row for row in facts["accuracy"]["rows"] if row["ours"]]
    assert [row["what"] for row in ours if row["figure"] == "accuracy"] == ["quantised network", "its integers"]


def test_every_stage_compares_integers_and_all_are_equal(compared):
    _, volumes = compared
    for stage in ("export", "qcdq", "streamline", "cbackend"):
        [manifest] = volumes.glob(f"{stage}/*/manifest.json")
        proofs = json.loads(manifest.read_text())["microstage"]["verification"]
        assert proofs and all(proof["compared"] == proof["equal"] > 0 for proof in proofs), stage


def test_the_artefacts_have_fpgais_files(compared):
    _, volumes = compared
    [trained], [exported] = volumes.glob("train/*/manifest.json"), volumes.glob("export/*/manifest.json")
    assert {"lenet_raw.pth", "lenet_quant.tuple"} <= {path.name for path in trained.parent.iterdir()}
    shapes = [(2, 1, 5, 5), (5, 2, 5, 5), (40, 5, 5, 5), (28, 40), (10, 28)]
    layers = read_text(exported.parent, "lenet", shapes)
    assert layers == read_binary(exported.parent, "lenet", shapes) and len(layers) == 5
    assert {layer.zero_point for layer in layers} == {128}
    assert max(len(np.unique(layer.weight)) for layer in layers) > 100, "weights use their bits"


def test_integers_that_differ_end_it(monkeypatch, capsys):
    form = {"name": "NumPy", "correct": 1, "other_class": [0, 1]}
    found = {"examples": 2, "forms": [form, {**form, "name": "C"}], "compared": 20, "differing": 3}
    monkeypatch.setattr(compare, "_compared", lambda *_: {**found, "integers": ["NumPy", "C"]})
    monkeypatch.setattr(compare.Pipeline, "run", lambda *_: [])
    session = Session(REPOSITORY, {"MODEL": "lenet", "RUNNER": "local"})
    with pytest.raises(VerificationError, match="3 integers differ between NumPy, C"):
        compare.command(session)
    assert "17 of 20 equal" in capsys.readouterr().out


@pytest.mark.parametrize("typed", [{"MODEL": "harmonic"}, {"ONNX": "net.onnx"}])
def test_a_network_that_is_not_trained_in_floats_is_refused(typed, tmp_path):
    said = " ".join(f"{name}={value} is not trained in floats here" for name, value in typed.items())
    with pytest.raises(ParameterError, match=said):
        compare.command(Session(REPOSITORY, {**typed, "VOLUMES": str(tmp_path), "RUNNER": "local"}))
