"""Real inputs and answers of a network of one's own: what onnxruntime answers to the same file, by the interface's
scales and offsets.
"""

import json

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from microstage.interface import golden
from microstage.models.definition import FILE

SCALE = 0.02


def network(front: str = "nothing") -> onnx.ModelProto:
    """Two inputs, uint8 at zero point 114 and int8, joined; weights with a scale for each class, a bias of floats for
    each. What stands in front of the quantisers: nothing, a line of the input (x - mean) / deviation, or a Relu.
    """
    rng, nodes, constants = np.random.default_rng(0), [], {}

    def add(op, inputs, output, **flags):
        nodes.append(helper.make_node(op, inputs, [output], **flags))
        return output

    def constant(name, value):
        constants[name] = np.asarray(value)
        return name

    joined = []
    for name, zero, size in (("photo", np.uint8(114), 6), ("mood", np.int8(0), 3)):
        parameters = constant(f"{name}.scale", np.float32(SCALE)), constant(f"{name}.zero", zero)
        source = name
        if front == "line":
            centred = add(
                "Sub",
                [name, constant(f"{name}.mean", rng.normal(0, 1, (1, size)).astype(np.float32))],
                f"{name}.centred",
            )
            source = add(
                "Div",
                [centred, constant(f"{name}.deviation", rng.uniform(0.5, 3, (1, size)).astype(np.float32))],
                f"{name}.normal",
            )
        elif front == "above zero":
            source = add("Relu", [name], f"{name}.above")
        ints = add("QuantizeLinear", [source, *parameters], f"{name}.ints")
        joined.append(add("DequantizeLinear", [ints, *parameters], f"{name}.real"))
    constant("w.ints", rng.integers(-127, 128, (9, 4)).astype(np.int8))
    constant("w.scale", np.float32([0.001, 0.5, 0.03, 0.0002]))
    weight = add("DequantizeLinear", ["w.ints", "w.scale", constant("w.zero", np.zeros(4, np.int8))], "w", axis=1)
    sums = add("MatMul", [add("Concat", joined, "joined", axis=1), weight], "sums")
    add("Add", [sums, constant("bias", np.float32([0, -1234.5, 7, 0.25]))], "scores")
    kept = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", size])
        for name, size in (("photo", 6), ("mood", 3), ("scores", 4))
    ]
    graph = helper.make_graph(nodes, "scores", ends[:2], ends[2:], kept)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


@pytest.mark.parametrize("front", ["nothing", "line", "above zero"])
def test_real_answers_are_what_another_executor_says_of_the_file(own, front):
    model = network(front)
    assert own.run(model) == 0
    vectors, interface = golden.load(own.out / golden.FILE), own.interface()
    given = {name: vectors[f"real.{name}"] for name in ("photo", "mood")}
    assert len(given["photo"]) >= 256 and {value.dtype for value in given.values()} == {np.dtype(np.float32)}
    described = interface["outputs"]["scores"]
    assert (
        interface["inputs"]["photo"]["zero_point"] == 114 and len(described["scale"]) == len(described["offset"]) == 4
    )
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = (
        onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    )  # which would fuse the file into another network
    found = onnxruntime.InferenceSession(model.SerializeToString(), options).run(None, given)[0]
    taken = interface["inputs"]
    levels = [(given[name] - np.array(taken[name].get("offset", 0))) / np.array(taken[name]["scale"]) for name in given]
    steps = np.concatenate([np.abs(level % 1 - 0.5) for level in levels], axis=1)
    apart = (steps > 1e-3).all(1)  # at a tie, float32 may fall otherwise
    assert apart.sum() > 20
    size = np.abs(np.array(described["offset"])) + np.abs(np.array(described["scale"])) * 127 * 128 * 9
    assert (np.abs(found - vectors["real.scores"]) <= 2.0**-20 * size)[apart].all()
    assert not np.array_equal(found, vectors["scores"]), "the integers are not the answers"


def test_an_answer_in_front_of_what_is_not_integer_has_the_scale_that_its_integers_are_read_at(own):
    model = network()
    for name, value in (("scores.scale", np.float32(0.5)), ("scores.zero", np.int8(0))):
        model.graph.initializer.append(numpy_helper.from_array(np.asarray(value), name))
    parameters = ["scores.scale", "scores.zero"]
    model.graph.node.extend(
        [
            helper.make_node("QuantizeLinear", ["scores", *parameters], ["stored"]),
            helper.make_node("DequantizeLinear", ["stored", *parameters], ["read"]),
            helper.make_node("Softmax", ["read"], ["chances"]),
        ]
    )
    model.graph.output[0].name = "chances"
    own.parameters["partial"] = True
    assert own.run(model) == 0
    vectors, ((name, described),) = golden.load(own.out / golden.FILE), own.interface()["outputs"].items()
    assert described["scale"] == 0.5 and np.ptp(vectors[name].astype(int)) > 50
    assert (
        np.array_equal(vectors[f"real.{name}"] * 2, np.rint(vectors[f"real.{name}"] * 2))
        and np.abs(vectors[f"real.{name}"]).max() <= 64
    )


def test_real_inputs_reach_ties_and_beyond_the_range(own):
    assert own.run(network()) == 0
    vectors = golden.load(own.out / golden.FILE)
    levels = vectors["real.photo"].astype(np.float64) / np.float32(SCALE) + 114
    assert levels.min() < -100 and levels.max() > 350 and (np.abs(levels % 1 - 0.5) < 1e-4).sum() > 100


def test_the_users_own_inputs_are_the_real_ones(own):
    photo, mood = np.random.default_rng(1).normal(0, 1, (40, 6)).astype(np.float32), np.zeros((40, 3), np.float32)
    assert own.run(network(), photo=photo, mood=mood) == 0
    vectors = golden.load(own.out / golden.FILE)
    assert np.array_equal(vectors["real.photo"][:36], photo[:36]) and np.abs(vectors["real.photo"][36:]).max() > 5


@pytest.mark.parametrize("mode", ["ROUND", "floor", "CEIL", "UP", "DOWN", "HALF_UP", "HALF_DOWN"])
def test_the_inputs_quantiser_rounds_as_the_file_says(own, mode):
    from random_networks import Network

    net = Network([4], 1)
    net.dense(3, 4, False, False)
    model = net.model()
    for node in model.graph.node:
        if node.op_type == "Quant" and node.input[0] in [value.name for value in model.graph.input]:
            [attribute] = [a for a in node.attribute if a.name == "rounding_mode"]
            attribute.s = mode.encode()
    assert own.run(model) == 0
    assert own.interface()["inputs"]["x"].get("rounding", "ROUND") == mode.upper()
    assert len(golden.load(own.out / golden.FILE)["real.x"]) >= 256
    assert json.loads((own.out / FILE).read_text())["model"] == "network"
