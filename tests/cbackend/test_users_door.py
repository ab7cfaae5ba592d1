"""`make cbackend ONNX=`: a file that something else quantised, through every stage, to C that is published."""

import json
from pathlib import Path

import onnx
import pytest
from doors import compiled, volumes
from doors import made as typed
from quantised import Quantised

LONG = (
    "functional_1/activation/Relu;functional_1/batch_normalization/FusedBatchNormV3;functional_1/"
    "conv2d/BiasAdd/ReadVariableOp/"
)


def mlp() -> onnx.ModelProto:
    """Two dense layers on bytes, which no plain kernel is needed for, and a softmax that stays real; names as long and
    as alike as exporters write them."""
    q = Quantised(seed=2)
    x = q.input("x", (1, 24))
    for width, depth in ((16, 24), (5, 16)):
        weights, _ = q.weights((depth, width), per_channel=False)
        x = q.quantise(q.node("MatMul", x, weights), 0.05)
    model = q.model(q.node("Softmax", x, axis=1))
    model.ir_version, model.opset_import[0].version = 8, 13
    for node in model.graph.node:
        for names in (node.input, node.output):
            names[:] = [LONG + name for name in names]
    for value in (*model.graph.input, *model.graph.output, *model.graph.initializer):
        value.name = LONG + value.name
    return model


def sixteen_bits() -> onnx.ModelProto:
    """Activations of 16 bits, weights of 8: dense, depthwise and plain convolutions, a sum of two scales, pools,
    functions, a join."""
    q = Quantised(seed=3)
    x = q.quantise(q.input("x", (1, 4, 9, 9), 1 / 3000, dtype="int16"), 1 / 3000, dtype="int16")
    first = q.quantise(
        q.node("Relu", q.conv(x, (12, 4, 3, 3), 1 / 3000, pads=[1] * 4)), 1 / 9000, zero=9, dtype="uint16"
    )
    depthwise = q.conv(first, (12, 1, 3, 3), 1 / 9000, group=12, pads=[1] * 4, bias=False)
    second = q.quantise(q.node("LeakyRelu", depthwise, alpha=0.2), 1 / 12345, dtype="int16")
    both = q.quantise(q.node("Add", first, second), 1 / 7777, dtype="int16")
    pooled = [
        q.node("MaxPool", both, kernel_shape=[3, 3], strides=[3, 3]),
        q.node("AveragePool", second, kernel_shape=[3, 3], strides=[3, 3]),
    ]
    joined = q.node("Concat", *(q.quantise(y, 1 / 5000, dtype="int16") for y in pooled), axis=1)
    flat = q.node("Flatten", q.quantise(q.node("Tanh", joined), 1 / 32768, dtype="int16"))
    weights, _ = q.weights((24 * 9, 8), per_channel=False)
    return q.model(q.quantise(q.node("MatMul", flat, weights), 1 / 999, dtype="int16"))


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A volume of its own."""
    return volumes(tmp_path_factory.mktemp("volumes"))


def test_what_the_self_test_passed_is_published_and_called_as_the_file(place, tmp_path):
    onnx.save(mlp(), tmp_path / "Two layers (v2).onnx")
    made, _ = compiled(tmp_path / "Two layers (v2).onnx", place, "PARTIAL=1")
    assert {path.name for path in made.glob("*.c")} == {
        f"two_layers_v2{part}.c" for part in ("", "_float", "_small", "_weights")
    }
    assert '"compared"' in json.dumps(json.loads((made / "manifest.json").read_text()))
    words = [f"ONNX={tmp_path / 'Two layers (v2).onnx'}", "PARTIAL=1", "RUNNER=local", f"VOLUMES={place}"]
    told = typed("explain", *words, "SAMPLE=9")
    [folder] = place.glob("explain/*")
    assert told.returncode == 0 and (folder / "explain.txt").read_text() in told.stdout, told.stderr[-2000:]
    refused = typed("explain", *words, "SAMPLE=x")
    assert "SAMPLE=x is not allowed: expected the number of a sample, from 0 on." in refused.stderr
    reported = typed("report", *words)
    assert reported.returncode == 0, reported.stderr[-2000:]
    page = Path(reported.stdout.splitlines()[-1].removeprefix("page: "))
    assert page.parent == place / "report" and page.name.startswith("Two_layers_v2-")
    _assert_says_all(
        json.loads(page.with_suffix(".json").read_text()), json.loads((made / "manifest.json").read_text())
    )


def _assert_says_all(facts: dict, manifest: dict) -> None:
    """What stayed real is named; every layer has its error, its cost on an FPGA and its share of the flash."""
    assert (facts["title"], facts["kind"]) == ("Two layers (v2)", "file") and "PARTIAL=1" in facts["command"]
    assert facts["verdict"]["state"] == "partly real" and facts["verdict"]["notes"][0].startswith("Softmax -> ")
    layers = facts["layers"]["rows"]
    assert len(layers) == 2 and all({"sqnr_db", "macs", "cycles", "lut", "flash"} <= row.keys() for row in layers)
    assert [row["macs"] for row in layers] == [24 * 16, 16 * 5] and any("bottleneck" in row for row in layers)
    assert sum(row["flash"] for row in layers) == manifest["microstage"]["metrics"]["constant_bytes"]
    assert {row["unit"] for row in facts["code"]["rows"]} == {"bytes", "µs", "frames/s"}
    assert [row["to"] for row in facts["proofs"]] == ["streamline", "cbackend"]
    before, after = facts["graphs"]
    assert {"Softmax", "MatMul"} <= {node["type"] for node in before["nodes"]}
    assert "Softmax" not in {node["type"] for node in after["nodes"]}
    assert {(d["layer"], d["what"]) for d in facts["distributions"]} == {
        (row["name"], what) for row in layers for what in ("weights", "activations")
    }


def test_activations_of_16_bits_go_to_c_without_finn(place, tmp_path):
    """FINN's float32 is refused by FINN-ONNX alone, which is said; every layer is compared with onnxruntime, and the C
    with the integers."""
    model = sixteen_bits()
    model.ir_version, model.opset_import[0].version = 10, 21
    onnx.save(model, tmp_path / "sixteen.onnx")
    made, said = compiled(tmp_path / "sixteen.onnx", place)
    assert "FINN-ONNX is left out: " in said and "not integer" not in said
    [written] = place.glob("streamline/*/model_integer.onnx")
    assert not list(written.parent.glob("*finn*"))
    assert "FINN-ONNX is left out" in (written.parent / "report.md").read_text()
    kernels = {path.stem for path in made.glob("ms_*.h")}
    assert any(name.startswith("ms_blend_") and "_ai64_" in name for name in kernels)
    # No row of 65535 thresholds for every channel.
    assert sum(path.stat().st_size for path in made.glob("*_weights.c")) < 2**20
