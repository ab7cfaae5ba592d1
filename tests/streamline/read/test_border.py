"""What integers that enter are of the file's own input, and what is said where they cannot be."""

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper


def network(front, quantised=True):
    """x [n, 4] through `front`, a list of (operator, constants, attributes), its quantiser if it has one, a layer, a
    quantiser.
    """
    nodes, constants, value = (
        [],
        {"s": np.float32(0.0625), "z": np.int8(0), "w": np.arange(-6, 6, dtype=np.int8).reshape(4, 3)},
        "x",
    )
    for place, (operator, given, flags) in enumerate(front):
        names = [f"k{place}_{n}" for n in range(len(given))]
        constants.update(zip(names, given))
        nodes.append(helper.make_node(operator, [value, *names], [f"v{place}"], name=f"front{place}", **flags))
        value = f"v{place}"
    for name in (["in"] if quantised else []) + ["out"]:
        if name == "out":
            nodes.append(helper.make_node("DequantizeLinear", ["w", "s", "z"], ["weight"]))
            nodes.append(helper.make_node("MatMul", [value, "weight"], ["sums"], name="layer"))
            value = "sums"
        nodes.append(helper.make_node("QuantizeLinear", [value, "s", "z"], [f"{name}.q"]))
        nodes.append(helper.make_node("DequantizeLinear", [f"{name}.q", "s", "z"], [f"{name}.d"]))
        value = f"{name}.d"
    ends = [
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", size])] for name, size in (("x", 4), ("out.d", 3))
    ]
    kept = [numpy_helper.from_array(np.asarray(number), name) for name, number in constants.items()]
    return helper.make_model(
        helper.make_graph(nodes, "front", *ends, kept), opset_imports=[helper.make_opsetid("", 13)], ir_version=8
    )


def said(own, capfd, model) -> str:
    """Code and last sentence."""
    code = own.run(model)
    return f"{code} {(capfd.readouterr().err.splitlines() or [''])[-1]}"


@pytest.mark.parametrize(
    ("front", "named"),
    [
        ([("Sigmoid", [], {})], "front0 (Sigmoid -> v0): stands between the input x and its first quantiser"),
        (
            [("Mul", [np.float32([1, 0, 1, 1])], {})],
            "front0 (Mul -> v0): stands between the input x and its first quantiser, and a value",
        ),
        (
            [("Relu", [], {}), ("Add", [np.float32([0, 1, 2, 3])], {})],
            "the ends of the range differ from value to value",
        ),
    ],
)
def test_what_is_no_line_in_front_of_the_first_quantiser_stops_by_its_name(own, capfd, front, named):
    first = said(own, capfd, network(front))
    assert first.startswith("3 ") and named in first and "INPUT_TYPE=INT8 INPUT_SCALE=0.05 INPUT_ZERO=0" in first
    own.parameters["partial"] = True
    assert own.run(network(front)) == 0
    assert "x" not in own.interface()["inputs"] and own.interface()["missing"]


def test_an_input_without_a_quantiser_is_given_as_the_user_says(own, capfd):
    model = network([("Div", [np.float32(2)], {})], quantised=False)
    first = said(own, capfd, model)
    assert first.startswith("2 ") and "INPUT_TYPE=INT8 INPUT_SCALE=0.05 INPUT_ZERO=0" in first
    for kind, ends, zero in (
        ("uint8", [0, 255], 120),
        ("INT4", [-8, 7], 0),
        ("BIPOLAR", [-1, 1], 0),
        ("INT16", [-32768, 32767], 5),
    ):
        own.parameters |= {"input_type": kind, "input_scale": 0.25, "input_zero": zero}
        assert own.run(model) == 0, capfd.readouterr().err
        given = own.interface()["inputs"]["x"]
        assert (given["datatype"], given["range"], given["scale"], given["zero_point"]) == (
            kind.upper(),
            ends,
            0.25,
            zero,
        )
        vectors = np.load(own.out / "golden.npz")
        assert len(vectors["real.x"]) >= 256 and own.metrics()["compared"]["layers"]["layers"] > 0


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        (
            {"input_type": "INT8"},
            "INPUT_TYPE=INT8 is for an input that no quantiser follows, and each of x has one, or is of"
            " integers: leave it out.",
        ),
        ({"input_type": "FLOAT"}, "INPUT_TYPE=FLOAT is not known; expected INT2 to INT16"),
        ({"input_scale": 0.5}, "INPUT_SCALE and INPUT_ZERO go with INPUT_TYPE"),
        (
            {"input_type": "UINT4", "input_zero": -1},
            "INPUT_ZERO=-1 is no integer that stands for 0 in UINT4; expected 0 to 15.",
        ),
        (
            {"input_type": "UINT4", "input_scale": 0.0},
            "INPUT_SCALE=0 is no step of real values; expected a number above 0.",
        ),
    ],
)
def test_what_cannot_be_said_of_an_input_is_one_sentence(own, capfd, parameters, sentence):
    own.parameters |= parameters
    found = said(own, capfd, network([]))
    assert found.startswith("2 ") and sentence in found


def test_places_of_the_largest_count_biases_between_the_steps(own, capfd):
    """k x + r is in the order of s x + b: the answer of ArgMax is the network's."""
    model = network([])
    del model.graph.node[-2:]
    model.graph.initializer.append(numpy_helper.from_array(np.float32([0.0313, -0.0101, 0.0007]), "bias"))
    model.graph.node.append(helper.make_node("Add", ["sums", "bias"], ["scores"]))
    model.graph.node.append(helper.make_node("ArgMax", ["scores"], ["place"], axis=1, keepdims=0))
    model.graph.output[0].CopyFrom(helper.make_tensor_value_info("place", TensorProto.INT64, ["n"]))
    assert own.run(model) == 0, capfd.readouterr().err
    assert own.metrics()["compared"]["the file"]["place"]["levels_differing"] == 0
