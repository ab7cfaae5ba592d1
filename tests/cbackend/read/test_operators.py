"""Each operator's C equals the NumPy oracle, at the ends of the input range too, on edges and on random graphs."""

import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
from graphs import QONNX, Graph, evaluate
from hypothesis import given, settings
from integer_chains import chains
from integer_networks import networks, reference
from written import equal

CONVS = {
    "1-D valid": ((1, 2, 9), (3, 2, 3), {}),
    "1-D strided, padded on one side": ((1, 2, 9), (3, 2, 3), {"strides": [2], "pads": [0, 2]}),
    "1-D padded on both sides": ((1, 1, 6), (2, 1, 3), {"pads": [2, 1]}),
    "1-D dilated": ((1, 1, 9), (2, 1, 3), {"dilations": [3]}),
    "depthwise": ((1, 3, 5, 4), (3, 1, 3, 2), {"group": 3, "pads": [1, 0, 1, 1]}),
    "grouped": ((1, 4, 4, 4), (6, 2, 3, 3), {"group": 2, "strides": [1, 2]}),
    "one by one": ((1, 4, 3, 2), (2, 4, 1, 1), {}),
}


@pytest.mark.parametrize("case", CONVS)
@pytest.mark.parametrize("biased", [False, True])
def test_conv(tmp_path, case, biased):
    shape, weights, attributes = CONVS[case]
    random, g = np.random.default_rng(0), Graph()
    operands = [g.input("x", shape), g.constant("w", random.integers(-8, 8, weights))]
    operands += [g.constant("b", random.integers(-999, 999, weights[0]))] if biased else []
    equal(tmp_path, g, g.node("Conv", *operands, **attributes))


def test_padding_widens_the_range_of_a_convolution_of_values_away_from_zero(tmp_path):
    """x in 200..455: every whole window stays within 16 bits, the two that reach into the padding do not."""
    g = Graph()
    x = g.node("Add", g.input("x", (1, 1, 5), "UINT8"), g.constant("up", [200]))
    equal(tmp_path, g, g.node("Conv", x, g.constant("w", [[[100, -100]]]), pads=[1, 1]))


@pytest.mark.parametrize("pads", [[0, 0, 0, 0], [1, 1, 1, 1], [0, 1, 0, 1]])
def test_im2col_then_matmul_and_max_pool_channels_last(tmp_path, pads):
    random, g = np.random.default_rng(0), Graph()
    x = g.input("x", (1, 6, 5, 2), "UINT4")
    x = g.node("Im2Col", x, domain=QONNX, stride=[1, 2], kernel_size=[3, 2], pad_amount=pads, input_shape="(1,6,5,2)")
    x = g.node("MatMul", x, g.constant("w", random.integers(-3, 4, (12, 3))))
    equal(tmp_path, g, g.node("MaxPoolNHWC", x, domain=QONNX, kernel_shape=[2, 1], strides=[2, 1], pads=[0, 0, 0, 0]))


@pytest.mark.parametrize("shape", [(1, 3, 7), (1, 2, 5, 5)])
def test_max_pool_of_negative_values_ignores_its_padding(tmp_path, shape):
    g, rank = Graph(), len(shape) - 2
    x = g.node("Add", g.input("x", shape), g.constant("down", [-200]))
    equal(tmp_path, g, g.node("MaxPool", x, kernel_shape=[3] * rank, strides=[2] * rank, pads=[1] * 2 * rank))


LAYOUTS = {"NC": (1, 4), "NCW": (1, 4, 3), "NWC": (1, 3, 4), "NCHW": (1, 4, 2, 3), "NHWC": (1, 2, 3, 4)}


@pytest.mark.parametrize(("layout", "shape"), LAYOUTS.items())
@pytest.mark.parametrize("rows", [1, 4])
def test_threshold_finds_its_channel_in_every_layout(tmp_path, layout, shape, rows):
    g, random = Graph(), np.random.default_rng(3)
    t = random.integers(-129, 130, (rows, 15))  # unsorted rows count the same
    equal(tmp_path, g, g.threshold(g.input("x", shape), t, -8, layout))


def test_threshold_at_both_sides_of_each_edge(tmp_path):
    g = Graph()
    x = g.input("x", (1, 256))
    every = g.node("Add", g.node("Mul", x, g.constant("zero", [0])), g.constant("all", np.arange(-128, 128)[None]))
    equal(tmp_path, g, g.threshold(every, [[-128, -1, -1, 0, 1, 127, 128]]))


@pytest.mark.parametrize("scale", [1, 2**20])
@pytest.mark.parametrize("thresholds", [[[2**45, 2**46]], [[-(2**45)], [2**45]], [[-(2**45)], [-(2**46)]], "least"])
def test_thresholds_that_no_sum_or_every_sum_reaches(tmp_path, thresholds, scale):
    """Sums of 20 and of more than 32 bits: what is stored is a constant, by tensor or by channel, each channel's least
    sum included."""
    g, least = Graph(), [[-294907 * scale], [-393214 * scale]]
    y = g.node("MatMul", g.input("x", (1, 3), "INT16"), g.constant("w", scale * np.array([[1, -2], [3, 4], [-5, 6]])))
    t = g.constant("t", np.array(least if thresholds == "least" else thresholds, np.float32))
    equal(
        tmp_path,
        g,
        g.node("MultiThreshold", y, t, domain=QONNX, out_scale=1.0, out_bias=0.0, out_dtype="UINT2", data_layout="NC"),
    )


def test_bipolar_threshold(tmp_path):
    g = Graph()
    t = g.constant("t", [[0]])
    y = g.node(
        "MultiThreshold",
        g.input("x", (1, 9)),
        t,
        domain=QONNX,
        out_scale=2.0,
        out_bias=-1.0,
        out_dtype="BIPOLAR",
        data_layout="NC",
    )
    equal(tmp_path, g, y)


@pytest.mark.parametrize("perm", [(0, 2, 1, 3), (0, 3, 1, 2), (3, 2, 1, 0), (0, 1, 2, 3)])
def test_transpose(tmp_path, perm):
    g = Graph()
    equal(tmp_path, g, g.node("Transpose", g.input("x", (1, 3, 4, 2)), perm=perm))


@pytest.mark.parametrize(
    "shapes",
    [((1, 3, 4), (4,)), ((1, 3, 4), (3, 1)), ((1, 3, 1), (1, 1, 4)), ((1, 2), (1, 1)), ((1, 2, 3, 4), (2, 1, 4))],
)
@pytest.mark.parametrize("operator", ["Add", "Mul"])
def test_broadcasting(tmp_path, operator, shapes):
    g = Graph()
    x, w = g.input("x", shapes[0]), g.constant("w", np.random.default_rng(1).integers(-9, 9, shapes[1]))
    equal(tmp_path, g, g.node(operator, w, x))


def test_split_slice_and_concat_of_different_widths(tmp_path):
    g = Graph()
    a, b = g.node("Split", g.input("x", (1, 2, 7)), g.constant("n", [3, 4], np.int64), outputs=2, axis=2)
    c = g.node("Slice", b, *(g.constant(n, v, np.int64) for n, v in (("s", [1, -3]), ("e", [2, 99]), ("ax", [1, 2]))))
    wide = g.node("Mul", a, g.constant("k", [300]))
    narrow = g.node("Concat", c, c, axis=1)
    equal(tmp_path, g, g.node("Concat", wide, narrow, a, axis=2), a)


def test_outputs_that_are_inputs_or_one_another_are_copied(tmp_path):
    g = Graph()
    x = g.input("x", (1, 4))
    y = g.node("Add", x, g.constant("one", [1]))
    found = equal(tmp_path, g, g.node("Identity", x), y, g.node("Reshape", y, g.constant("s", [1, 2, 2], np.int64)))
    assert set(found.values()) == {32}


@pytest.mark.parametrize("name", ["a", "arena", "double", "2nd", "x*/y", "größe", "a.b/c:0"])
def test_names_that_c_cannot_take_are_made_into_ones_it_can(tmp_path, name):
    g = Graph()
    x = g.input(name, (1, 3))
    equal(tmp_path, g, g.node("Mul", x, g.constant("w" + name, [[3, 2, 1]]), outputs=[name + name]))


@pytest.mark.parametrize(
    ("drawn", "oracle"), [(chains(), evaluate), (networks(), reference)], ids=["operators", "networks"]
)
def test_random_graphs_equal_the_oracle(drawn, oracle):
    @given(drawn)
    @settings(max_examples=15, deadline=None)
    def check(example):
        graph, output = example
        folder = Path(tempfile.mkdtemp())
        try:
            equal(folder, graph, output, oracle=oracle)
        finally:
            shutil.rmtree(folder)

    check()
