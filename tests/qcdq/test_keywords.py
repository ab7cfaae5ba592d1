"""A network without a recurrent cell: one part, its input quantiser, its answers."""

import json
import shutil

import numpy as np
import onnx
import onnxruntime
import pytest
from conftest import Stage
from onnx import numpy_helper
from places import FIXTURES

from microstage.integer import Interpreter
from microstage.integer.sequence import integers
from microstage.interface import golden


def on_keywords(folder) -> Stage:
    """The stage on the exported keyword network instead of the harmonic one."""
    stage = Stage(folder)
    shutil.rmtree(stage.source)
    shutil.copytree(FIXTURES / "kws" / "export", stage.source)
    return stage


@pytest.fixture
def keywords(tmp_path):
    return on_keywords(tmp_path)


@pytest.fixture(scope="module")
def spotter(tmp_path_factory):
    """The same, as it is, which has run."""
    stage = on_keywords(tmp_path_factory.mktemp("spotter"))
    assert stage.run() == 0
    return stage


def test_the_fixture_comes_out_to_the_byte_and_every_boundary_is_compared(spotter):
    expected = {path.name: path.read_bytes() for path in (FIXTURES / "kws" / "qcdq").iterdir()}
    assert {name for name, content in expected.items() if spotter.bytes()[name] != content} == set()
    proved = spotter.verification()
    names = {
        f"{side} {boundary}"
        for side in ("brevitas", "onnxruntime")
        for boundary in ("features", "layers.0.act", "layers.1.act", "logits")
    }
    assert set(proved) == names
    assert all(v["compared"] == v["equal"] + v["explained_ties"] > 0 for v in proved.values())


def test_integers_enter_behind_the_quantiser_and_the_ends_say_what_they_mean(spotter):
    (part,) = json.loads((spotter.out / "interface.json").read_text())["parts"].values()
    features, logits = part["inputs"]["features"], part["outputs"]["logits"]
    described = json.loads((spotter.source / "model_def.json").read_text())["parameters"]
    assert (features["datatype"], features["range"], features["shape"]) == ("INT8", [-127, 127], [1, 490])
    assert features["scale"] == pytest.approx(described["input_range"] / 127)
    assert logits["shape"] == [1, 12] and isinstance(logits["scale"], float) and logits["unit"] == "logit"


def test_one_model_from_features_to_the_answer_in_stock_onnxruntime(spotter):
    vectors = golden.load(spotter.out / golden.FILE)
    session = onnxruntime.InferenceSession(
        str(spotter.out / "model_qcdq_composed.onnx"), providers=["CPUExecutionProvider"]
    )
    logits, label = session.run(["logits", "label"], {"mfcc": vectors["mfcc"]})
    scale = json.loads((spotter.out / "interface.json").read_text())["parts"]["model_qcdq"]["outputs"]["logits"][
        "scale"
    ]
    assert np.array_equal(np.rint(logits / scale), vectors["logits"]) and np.array_equal(
        label, np.argmax(vectors["logits"], 1)
    )


def test_equal_logits_give_the_lowest_index(keywords):
    """Seven classes with the same weights: whatever float sums make of them, the first of them is the answer."""

    def twins(model):
        weight = next(i for i in model.graph.initializer if i.name == "out.weight")
        value = numpy_helper.to_array(weight).copy()
        value[5:] = value[5]
        weight.CopyFrom(numpy_helper.from_array(value, weight.name))

    keywords.edit(twins)
    vectors = golden.load(keywords.source / golden.FILE)
    vectors["logits"] = vectors["logits"].copy()
    vectors["logits"][:, 5:] = vectors["logits"][:, 5:6]
    golden.save(keywords.source / golden.FILE, vectors)
    assert keywords.run() == 0
    part = Interpreter(onnx.load(str(keywords.out / "model_qcdq.onnx")))
    logits = integers(part.run({"features": vectors["features"]})["logits"])
    session = onnxruntime.InferenceSession(
        str(keywords.out / "model_qcdq_composed.onnx"), providers=["CPUExecutionProvider"]
    )
    (label,) = session.run(["label"], {"mfcc": vectors["mfcc"]})
    assert np.array_equal(label, np.argmax(logits, 1)) and label.max() <= 5


@pytest.mark.parametrize("boundary", ["features", "layers.0.act"])
def test_one_level_in_the_recording_is_refused_unless_it_is_a_tie(keywords, capfd, boundary):
    vectors = golden.load(keywords.source / golden.FILE)
    vectors[boundary] = vectors[boundary].copy()
    vectors[boundary][3, 2] += 1 if vectors[boundary][3, 2] <= 0 else -1
    golden.save(keywords.source / golden.FILE, vectors)
    assert keywords.run() == 3
    assert f"brevitas {boundary} 1 of " in capfd.readouterr().err


def test_an_input_that_no_quantiser_reads_needs_its_integers_declared(keywords, capfd):
    def bypass(model):
        quantiser = next(node for node in model.graph.node if "mfcc" in node.input)
        for node in model.graph.node:
            for index, name in enumerate(node.input):
                if name == quantiser.output[0]:
                    node.input[index] = "mfcc"
        model.graph.node.remove(quantiser)

    keywords.edit(bypass)
    assert keywords.run() == 2
    assert "mfcc is read by MatMul; expected a quantiser, or its integers in model_def.json" in capfd.readouterr().err
    described = json.loads((keywords.source / "model_def.json").read_text())
    described["inputs"] = {"mfcc": {"range": [-127, 127], "scale": 0.25}}
    (keywords.source / "model_def.json").write_text(json.dumps(described))
    vectors = golden.load(keywords.source / golden.FILE)
    vectors["mfcc"] = vectors["features"]
    golden.save(keywords.source / golden.FILE, vectors)
    assert keywords.run() == 3, "integers enter, and are not those that this network was recorded with"
    assert "brevitas layers.0.act" in capfd.readouterr().err
