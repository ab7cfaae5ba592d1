"""The whole stage on the QCDQ parts of a small network."""

import json

import numpy as np
import onnx
import pytest

from microstage.interface import golden

FILES = ("subcnn_finn_streamlined.onnx", "sublstm_finn_streamlined.onnx", "submlp_finn_streamlined.onnx")


def test_three_integer_graphs_estimates_and_a_record_of_every_boundary(stage, capfd):
    assert stage.run() == 0
    for file in FILES:
        graph = onnx.load(str(stage.out / file)).graph
        operators = {node.op_type for node in graph.node}
        assert operators <= {
            "MatMul",
            "MultiThreshold",
            "Im2Col",
            "Add",
            "Mul",
            "Concat",
            "Split",
            "Flatten",
            "Reshape",
        }, operators
        tables = [
            i.SerializeToString().split(i.name.encode())[0] + i.raw_data
            for i in graph.initializer
            if i.name.endswith("thresholds")
        ]
        assert len(set(tables)) == len(tables) or file != FILES[1], "a table is there twice"
    proved = {v["boundary"]: v for v in stage.report()["verification"]}
    vectors = golden.load(stage.out / golden.FILE)
    for boundary in (
        "features",
        "estimate",
        "hidden",
        "cell",
        "keep",
        "correction",
        "sum_next",
        "count_next",
        "cnn.act1",
        "heads.3.act",
    ):
        assert proved[boundary]["compared"] == proved[boundary]["equal"] == vectors[boundary].size > 0
    for boundary in ("features", "estimate", "hidden_next", "cell_next", "correction", "sum_next", "count_next"):
        assert proved[f"any state {boundary}"]["equal"] > 2048
    parts = json.loads((stage.out / "estimates.json").read_text())["parts"]
    assert all(
        part["slowest_layer_cycles"] > 0 and part["unmapped"] == [] and part["resources"]["LUT"] > 0
        for part in parts.values()
    )
    assert all(sum(layer.startswith("Thresholding") for layer in part["cycles"]) > 0 for part in parts.values())
    said = capfd.readouterr().out
    assert said.count("not estimated: DuplicateStreams_hls, ElementwiseAdd_hls, ElementwiseMul_hls") == 3
    assert said.count("; at least ") == 3
    before, after = (json.loads((folder / "interface.json").read_text()) for folder in (stage.source, stage.out))
    assert after["sequence"]["carried"] == {"estimate_1": "estimate", "sum": "sum_next", "count": "count_next"}
    assert all(after[role] == before[role] for role in ("gain", "answer"))


def test_same_input_same_bytes(stage, made):
    assert stage.run() == 0
    first, second = (
        {path.relative_to(run.out): path.read_bytes() for path in run.out.rglob("*") if path.is_file()}
        for run in (made, stage)
    )
    assert first == second and any(path.name == "ports.json" for path in first)


def test_border_types_are_the_quantisers_own(made):
    step = json.loads((made.out / "interface.json").read_text())["parts"]["sublstm_finn_streamlined"]
    assert step["inputs"]["cell"]["datatype"] == "INT6" == step["outputs"]["cell_next"]["datatype"]
    assert step["inputs"]["cell"]["scale"] == step["outputs"]["cell_next"]["scale"]


@pytest.mark.parametrize("boundary", ["features", "cell", "sum_next", "heads.1.act"])
def test_one_wrong_integer_ends_the_stage_and_is_named(stage, capfd, boundary):
    vectors = golden.load(stage.source / golden.FILE)
    vectors[boundary] = vectors[boundary].copy()
    vectors[boundary].flat[7] ^= 1
    golden.save(stage.source / golden.FILE, vectors)
    assert stage.run() == 3
    message = capfd.readouterr().err
    assert f"At {boundary} 1 of {vectors[boundary].size} integers differ" in message
    assert not list(stage.out.glob("*.onnx"))


def test_a_wrong_table_in_the_step_is_found(stage):
    """A table one level off somewhere: the graph is consistent with itself, and not with the golden vectors."""
    path = stage.source / "sublstm_qcdq.onnx"
    model = onnx.load(str(path))
    table = next(i for i in model.graph.initializer if i.name == "lstm.cell_tanh.table")
    value = onnx.numpy_helper.to_array(table)
    middle = len(value) // 2
    table.CopyFrom(onnx.numpy_helper.from_array(np.concatenate([value[1 : middle + 1], value[middle:]]), table.name))
    onnx.save(model, str(path))
    assert stage.run() == 3


def test_a_damaged_part_is_one_sentence(stage, capfd):
    (stage.source / "submlp.onnx").write_bytes(b"\x08\xff\xff")
    assert stage.run() == 2
    assert "submlp.onnx" in capfd.readouterr().err
