"""A network of one's own, in the forms that exporters write it in: the stage as the runner calls it, from file to
report.
"""

import json

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.transformation.infer_shapes import InferShapes
from random_networks import Network
from user_files import finn_onnx, qdq, small

from microstage_streamline.convert import convert_file


def integer_graph(model, folder) -> list[bytes]:
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    graph = convert_file(folder / "model.onnx").all_integer().model.graph
    constants = sorted((i.name, numpy_helper.to_array(i).tobytes()) for i in graph.initializer)
    return [node.SerializeToString() for node in graph.node] + [data for _, data in constants]


def test_forms_of_one_file_give_one_integer_graph(tmp_path):
    expected = integer_graph(small().model(), tmp_path)
    for opset in range(11, 19):
        assert integer_graph(small().model(opset=opset), tmp_path) == expected, opset
    for version in range(3, 11):
        model = small().model(ir_version=version)
        for initializer in list(model.graph.initializer):  # as IR 3 demands
            model.graph.input.append(
                helper.make_tensor_value_info(initializer.name, initializer.data_type, list(initializer.dims))
            )
        assert integer_graph(model, tmp_path) == expected, version
    for batch in (1, 0, "batch", None, 8):
        assert integer_graph(small().model(batch=batch), tmp_path) == expected, batch
    for domain in ("", "onnx.brevitas", "finn.custom_op.general"):
        model = small().model()
        for node in model.graph.node:
            node.domain = domain if node.domain else ""
        assert integer_graph(model, tmp_path) == expected, domain
    model = small().model()
    nodes = [onnx.NodeProto.FromString(node.SerializeToString()) for node in reversed(model.graph.node)]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    assert sorted(integer_graph(model, tmp_path)) == sorted(expected)


def test_the_artefact_is_proven_and_agrees_with_qonnx(own):
    net = small()
    rng = np.random.Generator(np.random.PCG64(0))
    x = rng.normal(0, 3, (9, 3, 6, 6)).astype(np.float32)
    assert own.run(net.model()) == 0
    found = own.metrics()["compared"]["the file"]
    assert "qonnx" in found["by"] and found["y"]["values"] > 100 and found["y"]["levels_differing"] == 0
    assert own.unresolved() == [] and "Every output is computed in integers" in (own.out / "report.md").read_text()
    said = own.interface()
    assert said["inputs"]["x"]["datatype"] == "INT8" and said["outputs"]["y"]["datatype"].startswith("INT")
    assert own.run(net.model(), x=x, y=np.zeros((9, 5))) == 0
    assert len(np.load(own.out / "golden.npz")["x"]) == 9 and own.metrics()["compared"]["GOLDEN"]["y"]["values"] == 45


def test_golden_vectors_that_do_not_fit_are_refused(own, capfd):
    x = np.zeros((3, 3, 6, 6))
    for arrays, said in (
        ({"z": x, "w": x}, "no x"),
        ({"x": x[:, 1:]}, "shape"),
        ({"x": x + np.nan}, "finite"),
        ({"x": x[:0]}, "samples"),
    ):
        assert own.run(small().model(), **arrays) == 2 and not any(own.out.iterdir())
        assert said in capfd.readouterr().err.splitlines()[-1]
    (own.source / "golden.npz").write_bytes(b"no archive")
    assert own.run(small().model()) == 2
    said = capfd.readouterr().err
    assert "GOLDEN" in said and str(own.source) not in said


def onnxruntimes(tmp_path, residual=False, **options):
    """A float network that onnxruntime's own quantiser turned into QCDQ: zero points, int32 biases, averages, sums at
    two scales.
    """
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    rng = np.random.Generator(np.random.PCG64(1))

    class Samples(CalibrationDataReader):
        rows = iter([{"x": rng.normal(0.3, 1, (4, 3, 8, 8)).astype(np.float32)} for _ in range(4)])

        def get_next(self):
            return next(self.rows, None)

    constants = {
        "w1": rng.normal(0, 0.3, (6, 3, 3, 3)),
        "b1": rng.normal(0, 0.2, 6),
        "w2": rng.normal(0, 0.4, (5, 6)),
        "b2": rng.normal(0, 0.3, 5),
        "w3": rng.normal(0, 0.3, (6, 6, 3, 3)),
    }
    around = [
        helper.make_node("Conv", ["r", "w3"], ["d"], pads=[1, 1, 1, 1]),
        helper.make_node("Add", ["d", "r"], ["s"], name="skip"),
    ]
    nodes = [
        helper.make_node("Conv", ["x", "w1", "b1"], ["c"], pads=[1, 1, 1, 1], name="conv"),
        helper.make_node("Relu", ["c"], ["r"]),
        *(around if residual else []),
        helper.make_node("MaxPool", ["s" if residual else "r"], ["p"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("GlobalAveragePool", ["p"], ["g"]),
        helper.make_node("Flatten", ["g"], ["f"]),
        helper.make_node("Gemm", ["f", "w2", "b2"], ["y"], transB=1, name="dense"),
    ]
    if not residual:
        del constants["w3"]
    border = [helper.make_tensor_value_info("x", 1, ["N", 3, 8, 8])], [helper.make_tensor_value_info("y", 1, ["N", 5])]
    onnx.save(
        qdq(nodes, {name: value.astype(np.float32) for name, value in constants.items()}, *border),
        str(tmp_path / "float.onnx"),
    )
    quantize_static(
        str(tmp_path / "float.onnx"),
        str(tmp_path / "qdq.onnx"),
        Samples(),
        quant_format=QuantFormat.QDQ,
        weight_type=QuantType.QInt8,
        activation_type=getattr(QuantType, options.pop("activation")),
        **options,
    )
    return onnx.load(str(tmp_path / "qdq.onnx"))


@pytest.mark.parametrize(
    "options", [{"activation": "QUInt8", "per_channel": True}, {"activation": "QInt8", "residual": True}]
)
def test_onnxruntimes_qcdq_with_zero_points(own, tmp_path, options):
    assert own.run(onnxruntimes(tmp_path, **options)) == 0
    assert own.unresolved() == []
    said, graph = own.interface()["inputs"]["x"], onnx.load(str(own.out / "model_finn_streamlined.onnx")).graph
    constants = {i.name: numpy_helper.to_array(i) for i in graph.initializer}
    assert (
        said["datatype"] == ("UINT8" if "QUInt8" in options.values() else "INT8")
        and said["range"][1] - said["range"][0] == 255
    )
    taken_off = [
        constants[node.input[1]].reshape(-1)
        for node in graph.node
        if node.op_type == "Add" and node.input[0].startswith("x")
    ]
    assert taken_off == ([-said["zero_point"]] if said["zero_point"] else [])
    found = own.metrics()["compared"]["the file"]
    assert found["by"].startswith("onnxruntime") and found["y"]["values"] == 320 and found["y"]["levels_differing"] == 0


def test_finn_onnx_enters_by_its_annotations_and_leaves_its_last_line_as_metadata(own):
    assert own.run(finn_onnx()) == 0
    said = own.interface()
    assert said["inputs"]["x"] | {"datatype": "UINT8", "range": [0, 255]} == said["inputs"]["x"]
    assert said["outputs"]["y"]["offset"] == -1.5 and said["outputs"]["y"]["scale"] == pytest.approx(0.37)
    assert own.metrics()["compared"]["the file"]["y"]["levels_differing"] == 0


def test_a_network_that_is_cut_short_ends_with_code_3_unless_a_part_will_do(own, capfd):
    net = small()
    net.value = net.add("Softmax", [net.value], axis=1)
    assert own.run(net.model()) == 3 and not any(own.out.iterdir())
    said = capfd.readouterr().err.splitlines()[-1]
    assert (
        f"(Softmax -> {net.value})" in said
        and "PARTIAL=1 goes on without it" in said
        and "order of the classes is the same" in said
    )

    own.parameters["partial"] = True
    assert own.run(net.model()) == 0
    (found,) = own.unresolved()
    assert own.interface()["missing"] == [{key: found[key] for key in ("tensor", "layer", "operator", "reason")}]
    assert found["operator"] == "Softmax"
    assert (
        found["tensor"].endswith("softmax") and found["layer"].startswith("Softmax_") and "Softmax" in found["reason"]
    )
    assert list(own.interface()["outputs"]) == [net.nodes[-1].input[0]]

    net = small()
    net.value = net.add("MatMul", [net.value, net.constant(np.full((5, 5), 0.3, np.float32))])
    net.dense(2, 3, False, False)
    own.parameters["partial"] = False
    assert own.run(net.model()) == 3 and "are real" in capfd.readouterr().err
    own.parameters["partial"] = True
    assert own.run(net.model()) == 0
    (found,) = own.unresolved()
    assert "are real" in found["reason"] and found["layer"].startswith("MatMul")
    assert found["reason"] in (own.out / "report.md").read_text()


def test_finn_estimates_a_network_of_convolutions(own):
    """Depthwise filters, a sum at two scales, a join, an average: every layer has one of FINN's."""
    net = Network([3, 6, 6], 3)
    net.conv(4, [3, 3], 1, [1, 1, 1, 1], 4, True, bias=True)
    net.activate(4, True)
    kept = net.value
    net.conv(1, [3, 3], 1, [1, 1, 1, 1], 4, True, depthwise=True)
    net.quantise(5, True, 0.1)
    net.value = net.add("Add", [net.value, kept])
    net.activate(4, True)
    net.value, net.shape = net.add("Concat", [net.value, net.value], axis=1), [8, 6, 6]
    net.pool("AveragePool")
    net.activate(4, True)
    net.value, net.shape = net.add("Flatten", [net.value]), [72]
    net.dense(5, 4, False, False)
    assert own.run(net.model()) == 0 and own.unresolved() == []
    (part,) = json.loads((own.out / "estimates.json").read_text())["parts"].values()
    kinds = {name.split("_")[0] for name in part["cycles"]}
    assert {"MVAU", "VVAU", "ElementwiseAdd", "StreamingConcat"} <= kinds and part["unmapped"] == []
    assert part["slowest_layer_cycles"] >= 36 * 27 and part["resources"]["LUT"] > 500
    assert f"| LUT | at least {part['resources']['LUT']} |" in (own.out / "report.md").read_text()


def test_qkeras_channels_last(own):
    """As tf2onnx writes a qkeras model: channels last at the border, Quant in the empty domain, every constant listed
    as an input.
    """
    net = Network([3, 6, 6], 5)
    net.conv(4, [3, 3], 1, [1, 1, 1, 1], 4, False, bias=True)
    net.norm()
    net.activate(4, True)
    net.pool("MaxPool")
    net.value, net.shape = net.add("Transpose", [net.value], perm=[0, 2, 3, 1]), [3, 3, 4]
    net.value, net.shape = net.add("Reshape", [net.value, net.constant(np.array([-1, 36]))]), [36]
    net.dense(5, 4, False, True)
    model = net.model(opset=11, ir_version=3, batch="unk__1")
    first = model.graph.node[0]
    turned = helper.make_node("Transpose", ["x"], ["x.first"], perm=[0, 3, 1, 2])
    first.input[0] = "x.first"
    model.graph.node.insert(0, turned)
    del model.graph.input[:]
    model.graph.input.append(helper.make_tensor_value_info("x", 1, ["unk__1", 6, 6, 3]))
    model.graph.input.extend(
        helper.make_tensor_value_info(i.name, i.data_type, list(i.dims)) for i in model.graph.initializer
    )
    x = np.random.Generator(np.random.PCG64(3)).normal(0, 3, (20, 6, 6, 3)).astype(np.float32)
    answers = []
    for domain in ("qonnx.custom_op.general", ""):
        for node in model.graph.node:
            node.domain = domain if node.op_type in ("Quant", "BipolarQuant") else ""
        assert own.run(model, x=x) == 0 and own.unresolved() == []
        answers.append(np.load(own.out / "golden.npz")["y"])
        assert own.interface()["inputs"]["x"]["shape"] == [1, 6, 6, 3]
    assert np.ptp(answers[0]) > 10 and np.array_equal(*answers)
    said = own.interface()["outputs"]["y"]
    values = answers[0] * np.asarray(said["scale"]) + np.asarray(said["offset"])
    plain = onnx.ModelProto.FromString(model.SerializeToString())
    plain.ir_version = 8
    del plain.graph.input[1:]
    plain.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
    for node in plain.graph.node:
        node.domain = "qonnx.custom_op.general" if node.op_type == "Quant" else ""
    plain = ModelWrapper(plain).transform(InferShapes())
    for row, wanted in zip(x[:4], values):
        assert np.allclose(execute_onnx(plain, {"x": row[None]})["y"], wanted, atol=1e-4)
