"""A network of bits: BipolarQuant stays, as QCDQ has no operator for it; the class is compared like any integer."""

import json
import shutil

import numpy as np
import onnxruntime
import pytest
from conftest import Stage
from places import FIXTURES

from microstage.interface import golden


def on_bits(folder, name: str) -> Stage:
    """The stage on an exported binary network instead of the harmonic one."""
    stage = Stage(folder)
    shutil.rmtree(stage.source)
    stage.expected = FIXTURES / "bnn" / name / "qcdq"
    shutil.copytree(stage.expected.parent / "export", stage.source)
    return stage


@pytest.fixture(scope="module", params=["tfc", "cnv"])
def binary(request, tmp_path_factory):
    """The same, which has run."""
    stage = on_bits(tmp_path_factory.mktemp(request.param), request.param)
    assert stage.run() == 0
    return stage


def test_the_fixture_comes_out_to_the_byte_and_every_boundary_is_compared(binary):
    expected = {path.name: path.read_bytes() for path in binary.expected.iterdir()}
    assert {name for name, content in expected.items() if binary.bytes()[name] != content} == set()
    recorded = golden.load(binary.source / golden.FILE)
    proved = binary.verification()
    assert set(proved) == {
        f"{side} {name}"
        for side in ("brevitas", "onnxruntime")
        for name in recorded.keys() - {"image", "label", "real"}
    }
    assert all(
        proved[f"brevitas {name}"]["compared"] == recorded[name].size
        for name in recorded.keys() - {"image", "label", "real"}
    )


@pytest.mark.parametrize("name", ["tfc", "cnv"])
def test_another_class_ends_the_stage_and_is_named(tmp_path, capfd, name):
    binary = on_bits(tmp_path, name)
    vectors = golden.load(binary.source / golden.FILE)
    vectors["answer"] = vectors["answer"].copy()
    vectors["answer"][3] = (vectors["answer"][3] + 1) % 10
    golden.save(binary.source / golden.FILE, vectors)
    assert binary.run() == 3
    assert "At brevitas answer 1 of" in capfd.readouterr().err


def test_one_model_from_grey_levels_to_the_class_in_stock_onnxruntime(binary):
    vectors = golden.load(binary.out / golden.FILE)
    session = onnxruntime.InferenceSession(
        str(binary.out / "model_qcdq_composed.onnx"), providers=["CPUExecutionProvider"]
    )
    (entry,) = session.get_inputs()
    found = session.run(
        None, {entry.name: vectors["image"].astype({"tensor(uint8)": np.uint8}.get(entry.type, np.float32))}
    )[0]
    assert np.array_equal(found.reshape(-1), vectors["answer"].reshape(-1))
    (part,) = json.loads((binary.out / "interface.json").read_text())["parts"].values()
    assert part["outputs"]["answer"]["range"] == [0, 9]
