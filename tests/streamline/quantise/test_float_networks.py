"""Float networks and example inputs: quantised by the stage itself, at a cost that it tells, in integers throughout."""

import numpy as np
import onnx
import pytest
from float_networks import FloatNetwork, dense, mobile, residual, tokens, with_keras_layout
from onnx import helper, numpy_helper
from user_files import small

from microstage_streamline.prove.executors import OriginalModel
from microstage_streamline.quantise.float_graph import name_nodes
from microstage_streamline.quantise.observe import Observed, values
from microstage_streamline.quantise.quantise import quantise
from microstage_streamline.quantise.ranges import least_error


@pytest.mark.parametrize(
    ("network", "form"),
    [
        (residual, {"opset": 9, "as_nodes": True, "batch": 4}),
        (mobile, {"opset": 11, "batch": 1}),
        (with_keras_layout, {}),
        (dense, {}),
    ],
)
def test_everything_of_a_float_network_becomes_integers_near_its_floats(own, capfd, network, form):
    batch = form.pop("batch", "n")
    net, output = network(**form)
    own.calibrate_on({"x": net.rows()})
    assert own.run(net.model(output, batch=batch)) == 0 and own.unresolved() == []
    cost = own.metrics()["quantised"]
    assert (cost["rows"], cost["held_out"]) == (72, 24)
    for found in (cost["answers"][output], cost["answers_held_out"][output]):
        assert 0 < found["relative_l2"] < 0.05 and found["agreement"] > 0.9
    assert own.metrics()["compared"]["the file"][output]["levels_differing"] == 0
    said, page = capfd.readouterr().out, (own.out / "report.md").read_text()
    assert f"relative L2 {cost['answers'][output]['relative_l2']:g} at {output}, the same class in" in said
    assert all(f"| `{found['tensor']}` | {found['so_far']} |" in page for found in cost["tensors"])
    made = onnx.load(str(own.out / "model_quantised.onnx"))
    kinds = {tensor.name: numpy_helper.to_array(tensor).dtype for tensor in made.graph.initializer}
    stored = [
        kinds[node.input[0]]
        for node in made.graph.node
        if node.op_type == "DequantizeLinear" and node.input[0] in kinds
    ]
    assert set(stored) == {np.dtype(np.int8), np.dtype(np.int32)}, "weights and biases, and no constant of a line"
    onnx.checker.check_model(made)


def test_each_node_has_a_name_of_its_own_and_those_that_are_given_stay():
    named = ["node 1", "", "a", "node 0", "a", "", "a 0"]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"], name=name) for name in named], "g", [], [])
    name_nodes(graph)
    found = [node.name for node in graph.node]
    assert len({*found}) == len(found) and all(found)
    assert [found[0], found[2], found[3], found[6]] == ["node 1", "a", "node 0", "a 0"]


def test_layers_keep_the_means_of_their_channels_and_the_same_files_give_the_same_bytes(tmp_path):
    net, output = mobile()
    rows = net.rows(48)
    (tmp_path / "model.onnx").write_bytes(net.model(output).SerializeToString())
    np.save(tmp_path / "rows.npy", rows)
    once, again = (
        quantise(tmp_path / "model.onnx", tmp_path / "rows.npy", "rows.npy", tmp_path / name) for name in ("one", "two")
    )
    assert once.model.SerializeToString() == again.model.SerializeToString() and once.cost == again.cost
    made, real = OriginalModel(once.model), OriginalModel(onnx.load(tmp_path / "one" / "optimised.onnx"))
    layers = [node for node in made.nodes if node.op_type in ("Conv", "Gemm")]
    called = {node.name: node.output[0] for node in real.nodes}
    found = values(made, {"x": rows}, [node.output[0] for node in layers])
    wanted = values(real, {"x": rows}, [called[node.name] for node in layers])
    assert len(layers) == 5
    for node in layers:
        step = made.stored([f"{node.input[2].removesuffix('_DequantizeLinear_Output')}_quantized_scale"])
        ours, theirs = (
            value.swapaxes(0, 1).reshape(value.shape[1], -1).mean(1)
            for value in (found[node.output[0]], wanted[called[node.name]])
        )
        assert np.all(np.abs(ours - theirs) < 0.6 * next(iter(step.values()))), node.name


def test_places_of_a_sequence_among_the_rows_are_no_samples(tmp_path):
    net, output = tokens()
    (tmp_path / "model.onnx").write_bytes(net.model(output).SerializeToString())
    np.save(tmp_path / "rows.npy", net.rows())
    found = quantise(tmp_path / "model.onnx", tmp_path / "rows.npy", "rows.npy", tmp_path).cost
    assert found["answers"][output]["relative_l2"] < 0.05
    assert {"x", output} <= {one["tensor"] for one in found["tensors"]} and len(found["tensors"]) == 4


def test_a_range_leaves_out_what_hardly_occurs():
    values = np.append(np.random.default_rng(0).normal(size=1_000_000), 40.0)
    seen = Observed(values.min(), values.max(), np.histogram(values, 2048)[0])
    low, high = least_error(seen)
    assert high < 25 and low < -3
    assert least_error(Observed(0.0, 40.0, seen.counts))[0] == 0


def test_what_costs_much_is_said_with_the_layer_and_few_rows_are(own, capfd):
    """Two inputs of which one is a thousand times the other, and the other counts."""
    net = FloatNetwork([8])
    weight = net.rng.normal(size=(5, 8))
    weight[:, 0] = 0
    spread = net.add("Mul", "x", net.constant([1000.0, *[1.0] * 7]))
    output = net.add("Gemm", spread, net.constant(weight), transB=1)
    own.calibrate_on(net.rows(12))
    assert own.run(net.model(output)) == 0
    said = capfd.readouterr().out
    assert "CALIBRATION has 12 rows, of which ranges are a guess" in said
    assert "quantising costs much, a relative L2 of" in said and f"most of it at /{spread} -> {spread}," in said


def test_answers_of_the_float_network_in_golden_are_compared_and_not_demanded(own, capfd):
    net, output = dense()
    best = net.add("ArgMax", output, axis=1, keepdims=0)
    model, rows = net.model(best), net.rows()
    model.graph.output[0].type.tensor_type.elem_type = onnx.TensorProto.INT64
    own.calibrate_on(rows)
    assert own.run(model, x=rows[:9], **{best: np.arange(9) % 4}) == 0
    figures = own.metrics()["compared"]["GOLDEN"][best]
    assert figures["values"] == 9 and 0 < figures["levels_differing"] < 9
    assert f"streamline: {best} beside GOLDEN: " in capfd.readouterr().out


def refused(own, capfd, model, content) -> str:
    own.calibrate_on(content)
    assert own.run(model) == 2 and not any(own.out.iterdir())
    return capfd.readouterr().err.splitlines()[-1]


def test_what_does_not_fit_is_one_sentence(own, capfd):
    net, output = dense()
    model, rows = net.model(output), net.rows()
    for content, said in (
        ({"a": rows, "b": rows}, "has no x; it holds a, b, and the network needs every input"),
        ({"x": rows[:, 1:]}, "has x of shape [96, 5]; expected [n, 6]"),
        (np.float32(1), "has x of shape []; expected [n, 6]"),
        (rows + np.nan, "has x, which holds something else than finite numbers"),
        (rows.astype("U9"), "has x, which holds something else than finite numbers"),
        (rows[:0], "has 0 of x; expected rows"),
        (b"no archive", "holds no arrays"),
        (np.full(rows.shape, 3e38), "On CALIBRATION the float network gives no finite numbers at "),
    ):
        assert said in refused(own, capfd, model, content), said
    two = net.model(output)
    two.graph.input.append(helper.make_tensor_value_info("z", 1, ["n", 2]))
    assert "has 96 of x, 95 of z; expected rows" in refused(own, capfd, two, {"x": rows, "z": rows[1:, :2]})


def test_a_file_that_is_quantised_already_is_refused_and_a_float_one_without_inputs_is_told_of_them(own, capfd):
    model = small().model()
    model.producer_name = "brevitas"
    said = refused(own, capfd, model, np.zeros((9, 3, 6, 6)))
    assert "is quantised already, by brevitas: " in said and " is Quant; leave it out" in said
    assert "is for a float ONNX file" in refused(own, capfd, b"\x1c\0\0\0TFL3" + bytes(99), np.zeros((9, 3)))
    (own.source / "calibration.npz").unlink()
    net, output = dense()
    assert own.run(net.model(output)) == 2
    assert "CALIBRATION=inputs.npz, example inputs by the names" in capfd.readouterr().err.splitlines()[-1]
