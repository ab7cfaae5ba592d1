"""A network of one part: streamlined, replayed, estimated."""

import json

import onnx
import pytest
from stage_runs import FIXTURES, StageOnParts

from microstage.interface import golden


@pytest.fixture
def keywords(tmp_path):
    """The stage on the QCDQ fixture of the keyword network instead of the harmonic one."""
    return StageOnParts(tmp_path, FIXTURES / "kws" / "qcdq")


def test_one_integer_graph_with_its_scales_as_metadata(keywords):
    assert keywords.run() == 0
    graph = onnx.load(str(keywords.out / "model_finn_streamlined.onnx")).graph
    assert [node.op_type for node in graph.node] == ["MatMul", "MultiThreshold", "MatMul", "MultiThreshold", "MatMul"]
    proved = {v["boundary"]: v for v in keywords.report()["verification"]}
    vectors = golden.load(keywords.out / golden.FILE)
    for boundary in ("layers.0.act", "layers.1.act", "logits"):
        assert proved[boundary]["compared"] == proved[boundary]["equal"] == vectors[boundary].size
    (part,) = json.loads((keywords.out / "interface.json").read_text())["parts"].values()
    (before,) = json.loads((keywords.source / "interface.json").read_text())["parts"].values()
    assert part["file"] == "model_finn_streamlined.onnx" and part["outputs"]["logits"]["datatype"].startswith("INT")
    assert (
        part["outputs"]["logits"]["scale"] == before["outputs"]["logits"]["scale"]
        and part["inputs"] == before["inputs"]
    )
    (estimated,) = json.loads((keywords.out / "estimates.json").read_text())["parts"].values()
    assert estimated["slowest_layer_cycles"] > 0 and estimated["unmapped"] == []
