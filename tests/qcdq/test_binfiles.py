"""The benchmark runner's folder: names, bytes, labels, both encodings, and that both models were asked."""

import json
import shutil

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from places import FIXTURES

from microstage.datasets.speech import words
from microstage.models.kws import binfiles
from microstage.models.kws.clips import features, mixed
from microstage.stage import stage_main

ENTRY = {"scale": 0.25, "zero_point": 0, "range": [-127, 127], "shape": [1, 490], "datatype": "INT8"}


@pytest.fixture
def written(tmp_path):
    """written(encoding) -> (exit code, output folder).

    The QCDQ part stands in for the streamlined graph, whose integers are its own.
    """
    folders = {name: tmp_path / name for name in ("train", "qcdq", "streamline")}
    for folder in folders.values():
        shutil.copytree(FIXTURES / "kws" / "qcdq", folder)
    (folders["train"] / "metrics.json").write_text(json.dumps({"test.origin": "synthetic"}))
    shutil.copy(folders["qcdq"] / "model_qcdq.onnx", folders["streamline"] / "model_finn_streamlined.onnx")

    def call(encoding="model"):
        out = tmp_path / f"out-{encoding}"
        values = {"dataset": "words", "clips": 240, "seed": 1, "encoding": encoding}
        arguments = [w for name, folder in folders.items() for w in ("--in", f"{name}={folder}")]
        arguments += [w for name, value in values.items() for w in ("--set", f"{name}={json.dumps(value)}")]
        return stage_main(
            "binfiles", binfiles.run, [*arguments, "--out", str(out), "--scratch", str(tmp_path / "scratch")]
        ), out

    call.folders = folders
    return call


def test_files_are_what_the_networks_own_quantiser_makes_of_the_test_clips(written, capsys):
    code, out = written()
    assert code == 0 and "accuracy" in capsys.readouterr().out
    clips = mixed(words.load(240, 1).test)
    (part,) = json.loads((written.folders["streamline"] / "interface.json").read_text())["parts"].values()
    expected = np.rint(features(clips).astype(np.float32) / np.float32(part["inputs"]["features"]["scale"])).clip(
        -127, 127
    )
    lines = (out / "y_labels.csv").read_text().splitlines()
    assert len(lines) == len(clips) == 120 == len(list(out.glob("tst_*.bin")))
    for count, (line, label, row) in enumerate(zip(lines, clips.label, expected)):
        name, classes, index = line.split(", ")
        assert (
            name.startswith(f"tst_{count:06d}_")
            and name.endswith(f"_{label}.bin")
            and (int(classes), int(index)) == (12, label)
        )
        assert np.array_equal(np.frombuffer((out / name).read_bytes(), np.int8), row)
    assert lines[0].split("_")[3].split(".")[0] == str(clips.label[0]) and len(set(clips.label[:30])) > 6, (
        "the classes are mixed"
    )
    (proof,) = json.loads((out / "report.json").read_text())["verification"]
    assert proof["compared"] == 120


def test_the_closed_divisions_encoding_is_frame_by_frame_at_its_own_scale(written):
    code, out = written("eembc")
    assert code == 0
    first = next(iter(sorted(out.glob("tst_*.bin"))))
    real = features(mixed(words.load(240, 1).test))[0].reshape(10, 49)
    found = np.frombuffer(first.read_bytes(), np.int8).reshape(49, 10)
    inside = np.abs(found) < 127
    assert np.array_equal(found[inside], np.trunc(real.T / 0.5847029089927673 + 83)[inside])


def test_ends_of_the_range_are_clipped_and_halves_go_to_even():
    real = np.array([[0.125, 0.375, -0.125, 31.75, 31.9, 500.0, -500.0]], np.float32)
    assert binfiles.encode_model(real, ENTRY).tolist() == [[0, 2, 0, 127, 127, 127, -127]]


def test_an_integer_graph_that_answers_otherwise_is_refused(written, capfd):
    path = written.folders["streamline"] / "model_finn_streamlined.onnx"
    model = onnx.load(str(path))
    weight = next(i for i in model.graph.initializer if i.name == "out.weight.integers")
    weight.CopyFrom(numpy_helper.from_array(np.roll(numpy_helper.to_array(weight), 1, 0), weight.name))
    onnx.save(model, str(path))
    assert written()[0] == 3
    assert (
        "files are classified differently by the integer graph and the float model, first tst_"
        in capfd.readouterr().err
    )


def test_a_network_of_other_features_is_one_sentence(written, capfd):
    path = written.folders["streamline"] / "interface.json"
    described = json.loads(path.read_text())
    described["parts"]["model_qcdq"]["inputs"]["features"]["shape"] = [1, 640]
    path.write_text(json.dumps(described))
    assert written()[0] == 2
    assert "takes INT8 [1, 640]; the benchmark's files hold signed features [1, 490]" in capfd.readouterr().err
