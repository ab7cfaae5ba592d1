"""A user's file in floats beside its integers: a layer with a wrong scale has a name, in every form of file."""

import json

import numpy as np
import onnx
import pytest
from float_networks import residual
from onnx import helper, numpy_helper
from user_files import finn_onnx, small

from microstage.explaining.measuring import explained
from microstage.stage import stage_main
from microstage_streamline.explain.__main__ import run
from microstage_streamline.explain.file_twins import without_quantisers
from microstage_streamline.quantise.quantise import quantise
from microstage_streamline.read.onnx_graph import graph_of


def followed(model: onnx.ModelProto, sample: int | None = 3) -> dict:
    """What is explained of a file on random inputs."""
    graph, rng = graph_of(model), np.random.default_rng(5)
    inputs = {name: _drawn(rng, (12, *entry.shape[1:]), entry) for name, entry in graph.inputs.items()}
    return explained(without_quantisers(graph).on(inputs, "drawn"), sample, lambda items, total, label: iter(items))


def _drawn(rng, shape, entry):
    if entry.datatype:
        return rng.integers(*entry.datatype, shape, endpoint=True)
    return rng.normal(size=shape).astype(np.float32)


def total(found: dict) -> float:
    return sum(layer["share"] for layer in found["sample"]["layers"]) + found["sample"]["rest"]["share"]


def chain(spoiled: int, kind: str) -> onnx.ModelProto:
    """Four dense layers with quantisers of a form; the scale of one of them clips most of its values."""
    rng, nodes, stored, value = np.random.default_rng(1), [], {}, "x"
    for place in range(5):
        scale = np.float32(0.002 if place == spoiled else 0.03)
        if place:
            stored[f"w{place}"] = rng.integers(-127, 128, (8, 8)).astype(np.int8)
            stored[f"s{place}"] = np.float32(0.006)
            nodes += [helper.make_node("DequantizeLinear", [f"w{place}", f"s{place}"], [f"r{place}"])]
            nodes += [helper.make_node("MatMul", [value, f"r{place}"], [f"m{place}"], name=f"dense {place}")]
        stored |= {f"a{place}": scale, f"z{place}": np.int8(0) if kind == "qdq" else np.float32(0)}
        read, value = f"m{place}" if place else "x", f"y{place}"
        if kind == "qdq":
            levels = ["QuantizeLinear", "DequantizeLinear"]
            nodes += [helper.make_node(levels[0], [read, f"a{place}", f"z{place}"], [f"q{place}"])]
            nodes += [helper.make_node(levels[1], [f"q{place}", f"a{place}", f"z{place}"], [value])]
        else:
            stored |= {"bits": np.float32(8)}
            flags = {"signed": 1, "narrow": 0, "rounding_mode": "ROUND", "domain": "qonnx.custom_op.general"}
            nodes += [helper.make_node("Quant", [read, f"a{place}", f"z{place}", "bits"], [value], **flags)]
    kept = [numpy_helper.from_array(np.asarray(array), name) for name, array in stored.items()]
    ends = [helper.make_tensor_value_info(name, 1, [1, 8]) for name in ("x", value)]
    graph = helper.make_graph(nodes, "chain", ends[:1], ends[1:], kept)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


@pytest.mark.parametrize("kind", ["qdq", "qonnx"])
def test_the_layer_whose_scale_clips_is_named_and_all_of_the_error_is_some_layers(kind):
    for spoiled in (1, 3):
        found = followed(chain(spoiled, kind))
        name = f"dense {spoiled} -> {'q' if kind == 'qdq' else 'y'}{spoiled}"
        assert found["noisiest"] == found["sample"]["largest"] == name
        assert total(found) == pytest.approx(1, abs=1e-4) and found["sample"]["rest"]["share"] == 0


@pytest.mark.parametrize("form", [finn_onnx, lambda: small().model()])
def test_the_same_holds_of_files_as_exporters_write_them(form):
    found = followed(form(), None)
    assert len(found["layers"]) > 1 and found["sample"]["rest"]["share"] == pytest.approx(0, abs=1e-9)
    assert found["sample"]["largest"] is None or total(found) == pytest.approx(1, abs=1e-4)


def test_a_float_file_is_compared_itself_and_a_sample_that_is_not_there_is_one_sentence(tmp_path, capfd):
    net, output = residual()
    given, integers = tmp_path / "given", tmp_path / "integers"
    for folder in (given, integers):
        folder.mkdir()
    onnx.save(net.model(output), given / "model.onnx")
    np.savez(given / "calibration.npz", x=net.rows())
    made = quantise(given / "model.onnx", given / "calibration.npz", "rows.npz", tmp_path / "quantise")
    onnx.save(made.model, integers / "model_quantised.onnx")
    words = ["--in", f"network={given}", "--in", f"integers={integers}"]
    words += ["--out", str(tmp_path / "explained"), "--scratch", str(tmp_path / "scratch")]
    assert stage_main("explain", run, [*words, "--set", "sample=96"]) == 2
    assert "SAMPLE=96 is not there: expected 0 to 95; the samples are rows of CALIBRATION" in capfd.readouterr().err
    assert stage_main("explain", run, [*words, "--set", "sample=7"]) == 0
    found = json.loads((tmp_path / "explained" / "explain.json").read_text())
    costs = [made.cost[kind][output]["relative_l2"] for kind in ("answers", "answers_held_out")]
    assert min(costs) * 0.99 < 10 ** (-found["answer"]["so_far_db"] / 20) < max(costs) * 1.01
    assert total(found) == pytest.approx(1, abs=1e-4) and len(found["layers"]) > 5


def test_an_input_that_is_given_as_declared_integers(tmp_path):
    model = chain(-1, "qdq")
    for node in model.graph.node:  # the first layer reads the input itself
        node.input[:] = ["x" if name == "y0" else name for name in node.input]
    given, integers = tmp_path / "given", tmp_path / "integers"
    for folder in (given, integers):
        folder.mkdir()
    onnx.save(model, given / "model.onnx")
    ints = np.random.default_rng(1).integers(-128, 128, (20, 8))
    np.savez(integers / "golden.npz", **{"x": ints, "real.x": ints * 0.02})
    words = ["--in", f"network={given}", "--in", f"integers={integers}", "--set", "input_type=INT8"]
    words += ["--set", "input_scale=0.02", "--out", str(tmp_path / "out"), "--scratch", str(tmp_path / "scratch")]
    assert stage_main("explain", run, words) == 0
    found = json.loads((tmp_path / "out" / "explain.json").read_text())
    assert [layer["layer"] for layer in found["layers"]] == [f"dense {place} -> q{place}" for place in range(1, 5)]
    assert total(found) == pytest.approx(1, abs=1e-4) and found["sample"]["rest"]["share"] == 0
