"""The integer reference against arithmetic written out by hand, on random tensors."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from microstage.errors import ModelError
from microstage.integer import Interpreter
from microstage.integer.tensor import QTensor, real


def graph(op, inputs, constants=None, domain="", **attributes):
    """One operator as a graph that reads `inputs` and holds `constants`, in this order."""
    constants = constants or {}
    node = helper.make_node(op, [*inputs, *constants], ["y"], domain=domain, **attributes)
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in inputs]
    kept = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    made = helper.make_graph([node], "one", values, [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)], kept)
    return Interpreter(helper.make_model(made))


def rng(seed):
    return np.random.Generator(np.random.PCG64(seed))


@st.composite
def convolutions(draw, spatial):
    """Geometry of a convolution that fits its input."""
    kernel = [draw(st.integers(1, 3)) for _ in range(spatial)]
    dilations = [draw(st.integers(1, 2)) for _ in range(spatial)]
    pads = [draw(st.integers(0, 3)) for _ in range(2 * spatial)]
    size = [draw(st.integers(d * (k - 1) + 1, d * (k - 1) + 5)) for k, d in zip(kernel, dilations)]
    strides = [draw(st.integers(1, 3)) for _ in range(spatial)]
    groups = draw(st.integers(1, 3))
    channels = groups * draw(st.integers(1, 2)), groups * draw(st.integers(1, 2))
    return dict(
        kernel=kernel, dilations=dilations, pads=pads, size=size, strides=strides, groups=groups, channels=channels
    )


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 2).flatmap(convolutions), st.integers(0, 10**6))
def test_convolution_is_its_definition(g, seed):
    random, spatial = rng(seed), len(g["kernel"])
    x = random.integers(-128, 128, (2, g["channels"][0], *g["size"]))
    w = random.integers(-8, 8, (g["channels"][1], g["channels"][0] // g["groups"], *g["kernel"]))
    node = graph("Conv", ["x", "w"], strides=g["strides"], dilations=g["dilations"], pads=g["pads"], group=g["groups"])
    found = node.run({"x": QTensor(x, np.float64(0.5)), "w": QTensor(w, np.float64(0.25))})["y"]
    assert float(found.scale) == 0.125

    def at(n, channel, place):
        inside = all(0 <= p < size for p, size in zip(place, g["size"]))
        return int(x[(n, channel, *place)]) if inside else 0

    per_group = g["channels"][0] // g["groups"], g["channels"][1] // g["groups"]
    for n, out, *place in np.ndindex(*found.ints.shape):
        first = out // per_group[1] * per_group[0]
        total = 0
        for channel, *tap in itertools.product(range(per_group[0]), *map(range, g["kernel"])):
            read = [place[i] * g["strides"][i] + tap[i] * g["dilations"][i] - g["pads"][i] for i in range(spatial)]
            total += at(n, first + channel, read) * int(w[(out, channel, *tap)])
        assert found.ints[(n, out, *place)] == total


@given(st.integers(1, 5), st.integers(1, 9), st.integers(1, 4), st.integers(0, 10**6))
def test_products_and_sums_are_exact_and_carry_scales_per_channel(rows, inner, columns, seed):
    random = rng(seed)
    a, b = random.integers(-128, 128, (rows, inner)), random.integers(-128, 128, (inner, columns))
    scale = random.uniform(0.1, 1, (1, columns))
    found = graph("MatMul", ["a", "b"]).run({"a": QTensor(a, np.float64(0.5)), "b": QTensor(b, scale)})["y"]
    assert found.ints.tolist() == [[sum(int(x) * int(y) for x, y in zip(r, c)) for c in b.T] for r in a]
    assert np.array_equal(np.broadcast_to(found.scale, found.shape), np.broadcast_to(0.5 * scale, found.shape))
    same = graph("Add", ["p", "q"]).run({"p": found, "q": found})["y"]
    assert isinstance(same, QTensor) and np.array_equal(same.ints, 2 * found.ints)
    other = QTensor(found.ints, np.asarray(found.scale) * 3)
    assert np.allclose(graph("Add", ["p", "q"]).run({"p": found, "q": other})["y"], real(found) * 4)


def test_an_accumulator_beyond_exact_float64_is_refused():
    big = QTensor(np.full((1, 4), 2**30), np.float64(1))
    with pytest.raises(ModelError, match=r"Node 0 \(MatMul -> y\).*2\^53"):
        graph("MatMul", ["a", "b"]).run({"a": big, "b": QTensor(np.full((4, 1), 2**30), np.float64(1))})


@given(st.integers(-600, 600), st.sampled_from([0.25, 0.5, 0.1, 3.0]), st.integers(-3, 3))
def test_quantise_linear_rounds_half_to_even_then_shifts_then_clips(numerator, scale, zero):
    value = numerator / 8
    found = graph("QuantizeLinear", ["x"], {"s": np.float32(scale), "z": np.int8(zero)}).run({"x": np.array([value])})[
        "y"
    ]
    quotient = Fraction(value) / Fraction(float(np.float32(scale)))
    if float(quotient) == value / float(np.float32(scale)):  # the quotient is a float64: the rounding is the only one
        assert found.dtype == np.int8 and int(found[0]) == min(max(round(quotient) + zero, -128), 127)


@pytest.mark.parametrize(
    "mode,expected",
    [("ROUND", [-2, 0, 0, 2]), ("HALF_UP", [-2, -1, 1, 2]), ("FLOOR", [-2, -1, 0, 1]), ("CEIL", [-1, 0, 1, 2])],
)
def test_quant_says_its_rounding(mode, expected):
    parameters = {"s": np.float32(1), "z": np.float32(0), "b": np.float32(4)}
    node = graph("Quant", ["x"], parameters, signed=1, narrow=0, rounding_mode=mode)
    assert node.run({"x": np.array([-1.5, -0.5, 0.5, 1.5])})["y"].ints.tolist() == expected


@given(st.integers(1, 8), st.booleans(), st.booleans())
def test_quant_clips_to_its_width(bits, signed, narrow):
    parameters = {"s": np.float32(0.5), "z": np.float32(0), "b": np.float32(bits)}
    found = graph("Quant", ["x"], parameters, signed=int(signed), narrow=int(narrow), rounding_mode="ROUND").run(
        {"x": np.array([-1e6, 1e6])}
    )["y"]
    low = -(2 ** (bits - 1)) + narrow if signed else 0
    high = 2 ** (bits - 1) - 1 if signed else 2**bits - 1 - narrow
    assert found.ints.tolist() == ([-1, 1] if signed and bits == 1 else [low, high])


@settings(deadline=None)
@given(st.sampled_from(["NC", "NCW", "NCHW", "NWC", "NHWC"]), st.booleans(), st.integers(0, 10**6))
def test_multi_threshold_counts_in_every_layout(layout, shared, seed):
    random = rng(seed)
    sizes = dict(zip("NCHW", (2, 3, 4, 5)))
    x = random.integers(-20, 20, [sizes[letter] for letter in layout])
    table = np.sort(random.integers(-20, 20, (1 if shared else 3, 7)), axis=1)
    found = graph("MultiThreshold", ["x"], {"t": table.astype(np.float32)}, data_layout=layout, out_bias=-3.0).run(
        {"x": x}
    )["y"]
    for place in np.ndindex(*x.shape):
        row = table[0 if shared else place[layout.index("C")]]
        assert found[place] == -3 + sum(int(x[place] >= t) for t in row)


@settings(deadline=None)
@given(st.integers(1, 2).flatmap(convolutions), st.integers(0, 10**6))
def test_max_pool_reads_no_padding(g, seed):
    spatial = len(g["kernel"])
    pads = [min(p, (k - 1) * d) for p, k, d in zip(g["pads"], g["kernel"] * 2, g["dilations"] * 2)]
    x = rng(seed).integers(-128, 0, (1, 2, *g["size"]))
    flags = dict(kernel_shape=g["kernel"], strides=g["strides"], dilations=g["dilations"], pads=pads)
    found = graph("MaxPool", ["x"], **flags).run({"x": QTensor(x, np.float64(2))})["y"]
    for n, channel, *place in np.ndindex(*found.ints.shape):
        taps = itertools.product(*map(range, g["kernel"]))
        read = [
            [place[i] * g["strides"][i] + tap[i] * g["dilations"][i] - pads[i] for i in range(spatial)] for tap in taps
        ]
        inside = [int(x[(n, channel, *r)]) for r in read if all(0 <= p < s for p, s in zip(r, g["size"]))]
        if inside:
            assert found.ints[(n, channel, *place)] == max(inside)


def test_a_table_is_read_and_its_ends_are_guarded():
    table = np.arange(10, 20, dtype=np.int8)
    node = Interpreter(
        helper.make_model(
            helper.make_graph(
                [helper.make_node("Gather", ["t", "x"], ["y"])],
                "one",
                [helper.make_tensor_value_info("x", TensorProto.INT32, None)],
                [helper.make_tensor_value_info("y", TensorProto.INT8, None)],
                [numpy_helper.from_array(table, "t")],
            )
        )
    )
    assert node.run({"x": np.array([[0, 9]])})["y"].tolist() == [[10, 19]]
    with pytest.raises(ModelError, match="outside a table of 10"):
        node.run({"x": np.array([10])})


def test_batch_normalisation_is_in_one_order_in_float64():
    parameters = {k: np.float32(v) for k, v in {"gamma": [-1.3], "beta": [0.2], "mean": [0.7], "var": [2.1]}.items()}
    x = QTensor(np.arange(-50, 50).reshape(-1, 1, 1), np.float64(0.1))
    gamma, beta, mean, var = (np.float64(v[0]) for v in parameters.values())
    expected = (real(x) - mean) / np.sqrt(var + np.float64(np.float32(1e-5))) * gamma + beta
    assert np.array_equal(graph("BatchNormalization", ["x"], parameters).run({"x": x})["y"], expected)


def test_arg_max_takes_the_lowest_index():
    found = graph("ArgMax", ["x"], axis=1, keepdims=0).run(
        {"x": QTensor(np.array([[3, 7, 7], [5, 5, 1]]), np.float64(0.1))}
    )["y"]
    assert found.tolist() == [1, 0]


def test_an_unknown_operator_is_named_with_its_place_before_anything_runs():
    with pytest.raises(ModelError, match=r"Node 0 \(Hardmax -> y\) is not an operator"):
        graph("Hardmax", ["x"])
    with pytest.raises(ModelError, match="Input b is missing"):
        graph("Add", ["a", "b"]).run({"a": np.zeros(1)})
