"""Binary networks: streamlined answers are the reference's, on every image; bits meet bits in XNOR and popcount, and
nothing else does.
"""

import json
from collections import Counter

import numpy as np
import onnx
import pytest
from binary_networks import BinaryPart, binary_parts
from hypothesis import given, settings
from hypothesis import strategies as st
from qonnx.core.onnx_exec import execute_onnx
from stage_runs import FIXTURES, StageOnFile, StageOnParts

from microstage.errors import ModelError
from microstage.integer import Interpreter
from microstage.integer.sequence import integers
from microstage.interface import golden
from microstage_streamline.preceding_stage import convert_part
from microstage_streamline.prove.sequences import ChannelsLast

_PRODUCTS = {"MatMul", "XnorPopcountMatMul"}
_OPERATORS = _PRODUCTS | {"MultiThreshold", "Im2Col", "MaxPoolNHWC", "Flatten", "TopK", "Add"}


def images(interface, count, seed=0):
    drawn = np.random.Generator(np.random.PCG64(seed)).integers(0, 256, (count, *interface["inputs"]["x"]["shape"][1:]))
    drawn[0], drawn[1], drawn[2] = 0, 255, 128
    return drawn.astype(np.uint8)


@settings(max_examples=80, deadline=None)
@given(binary_parts(), st.integers(0, 10**6))
def test_answers_are_the_references(drawn, seed):
    source, interface, products = drawn
    model, x = convert_part(source, interface).model, images(interface, 60, seed)
    record = [name for node in model.graph.node for name in node.output]
    found = ChannelsLast(model, interface).run({"x": x}, record)
    assert np.array_equal(found["y"], Interpreter(source).run({"x": x})["y"])

    for node, wanted in zip([n for n in model.graph.node if n.op_type in _PRODUCTS], products, strict=True):
        plain = wanted == "MatMul" or np.ptp(integers(found[node.input[0]])) == 0  # what is always the same is no bit
        assert plain or node.op_type == wanted
    assert {node.op_type for node in model.graph.node} <= _OPERATORS
    for name in record:
        kind, values = model.get_tensor_datatype(name), integers(found[name])
        assert kind.is_integer() and kind.allowed(int(values.min())) and kind.allowed(int(values.max())), name
    arranged = ChannelsLast(model, interface).arranged("x", x[:1]).astype(np.float32)
    assert np.array_equal(execute_onnx(model, {"x": arranged})["y"], found["y"][:1])


def test_accumulators_of_bits_count_up_to_their_rows():
    part = BinaryPart((1, 784), 1)
    part.activate(1)
    part.dense(4, 1)
    model = convert_part(*part.answer(4, 1.0)).model
    assert (
        model.get_tensor_datatype(next(n for n in model.graph.node if n.op_type == "XnorPopcountMatMul").output[0]).name
        == "UINT10"
    )


def test_equal_scores_give_the_first_class():
    part = BinaryPart((1, 8), 3)
    part.activate(1)
    column = np.ones((8, 1), np.int8)
    part.value = part.add("MatMul", [part.value, part.dequantise(part.constant(np.tile(column, 4)), np.int8, 1.0)])
    source, interface = part.answer(4, -2.0)
    model = convert_part(source, interface).model
    assert not ChannelsLast(model, interface).run({"x": images(interface, 20)})["y"].any()


def test_scores_times_zero_are_refused():
    part = BinaryPart((1, 8), 3)
    part.activate(1)
    part.dense(4, 1)
    with pytest.raises(ModelError, match="no order left"):
        convert_part(*part.answer(4, 0.0))


@pytest.mark.parametrize(("name", "file"), [("cnv", "model_qonnx.onnx"), ("tfc", "model_qcdq.onnx")])
def test_a_file_comes_out_as_the_models_own_part_does(tmp_path, name, file):
    """The same products of bits, the same estimates, the same answers; its image lies as the file has it."""
    source = FIXTURES / "bnn" / name / "qcdq"
    stage, own = StageOnParts(tmp_path / "stage", source), StageOnFile(tmp_path)
    vectors = golden.load(source / golden.FILE)
    assert stage.run() == 0
    assert own.run((source / file).read_bytes(), image=vectors["image"], answer=vectors["answer"].astype(np.int64)) == 0
    graphs = [onnx.load(str(next(out.glob("*_finn_streamlined.onnx")))).graph for out in (stage.out, own.out)]
    one, two = (Counter(node.op_type for node in graph.node) for graph in graphs)
    assert one == two - Counter({"Transpose": 1})
    parts = [
        next(iter(json.loads((out / "estimates.json").read_text())["parts"].values())) for out in (stage.out, own.out)
    ]
    assert (
        parts[0]["resources"] == parts[1]["resources"]
        and parts[0]["slowest_layer_cycles"] == parts[1]["slowest_layer_cycles"]
    )
    assert own.metrics()["compared"]["GOLDEN"]["answer"]["levels_differing"] == 0 and own.unresolved() == []
    types = {a.tensor_name: a.quant_parameter_tensor_names[0].value for a in graphs[1].quantization_annotation}
    xnor = [node for node in graphs[1].node if node.op_type == "XnorPopcountMatMul"]
    assert (
        all(types[node.input[0]] == types[node.input[1]] == "BINARY" for node in xnor)
        and len(xnor) == two["XnorPopcountMatMul"]
    )


# As FINN's own passes leave CNV, but that nothing is transposed; a TFC of two bits an activation has nothing to count
# bits with.
_CNV = {"MultiThreshold": 9, "XnorPopcountMatMul": 8, "MatMul": 1, "Im2Col": 6, "MaxPoolNHWC": 2, "TopK": 1}
_TFC = {"MultiThreshold": 4, "MatMul": 4, "TopK": 1}


@pytest.mark.parametrize(
    ("name", "wanted", "retrained"),
    [
        ("cnv", _CNV, "cnv-w1a1_retrained.onnx"),
        ("tfc", _TFC, "tfc-w1a2_retrained.onnx"),
    ],
)
def test_the_stage_makes_a_whole_network_integer(tmp_path, name, wanted, retrained):
    stage = StageOnParts(tmp_path, FIXTURES / "bnn" / name / "qcdq")
    assert stage.run() == 0
    model = onnx.load(str(stage.out / retrained))
    assert model == onnx.load(str(next(stage.out.glob("*_finn_streamlined.onnx"))))
    found = Counter(node.op_type for node in model.graph.node)
    assert {operator: found[operator] for operator in wanted} == wanted and found.keys() - wanted.keys() <= {
        "Flatten",
        "Reshape",
    }
    vectors = golden.load(stage.out / golden.FILE)
    proved = {v["boundary"]: v for v in stage.report()["verification"]}
    for boundary in [
        name for name in vectors if name not in ("image", "label", "real") and not name.startswith("real.")
    ]:
        assert proved[boundary]["compared"] == proved[boundary]["equal"] == vectors[boundary].size, boundary
    (part,) = json.loads((stage.out / "interface.json").read_text())["parts"].values()
    assert (
        list(vectors["image"].shape[1:]) == part["inputs"]["image"]["shape"][1:]
    )  # as the graph takes it: channels last
    metrics, real = stage.report()["metrics"], vectors["real"] == 1
    right = (vectors["answer"][:, 0] == vectors["label"])[real]
    assert metrics["streamlined.answers"] == real.sum() and metrics["streamlined.accuracy"] == pytest.approx(
        right.mean()
    )
    (estimated,) = json.loads((stage.out / "estimates.json").read_text())["parts"].values()
    assert estimated["slowest_layer_cycles"] > 0
