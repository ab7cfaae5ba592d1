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


def test_conv(tmp_path):
    random, g, outputs = np.random.default_rng(0), Graph(), []
    for case, (shape, weights, attributes) in CONVS.items():
        x, w = g.input(f"x {case}", shape), g.constant(f"w {case}", random.integers(-8, 8, weights))
        b = g.constant(f"b {case}", random.integers(-999, 999, weights[0]))
        outputs += [g.node("Conv", x, w, **attributes), g.node("Conv", x, w, b, **attributes)]
    equal(tmp_path, g, *outputs)


def test_padding_widens_the_range_of_a_convolution_of_values_away_from_zero(tmp_path):
    """x in 200..455: every whole window stays within 16 bits, the two that reach into the padding do not."""
    g = Graph()
    x = g.node("Add", g.input("x", (1, 1, 5), "UINT8"), g.constant("up", [200]))
    equal(tmp_path, g, g.node("Conv", x, g.constant("w", [[[100, -100]]]), pads=[1, 1]))


def test_im2col_then_matmul_and_max_pool_channels_last(tmp_path):
    random, g, outputs = np.random.default_rng(0), Graph(), []
    w, image = g.constant("w", random.integers(-3, 4, (12, 3))), g.input("x", (1, 6, 5, 2), "UINT4")
    for pads in ([0, 0, 0, 0], [1, 1, 1, 1], [0, 1, 0, 1]):
        window = {"stride": [1, 2], "kernel_size": [3, 2], "pad_amount": pads, "input_shape": "(1,6,5,2)"}
        x = g.node("MatMul", g.node("Im2Col", image, domain=QONNX, **window), w)
        pool = {"kernel_shape": [2, 1], "strides": [2, 1], "pads": [0, 0, 0, 0]}
        outputs.append(g.node("MaxPoolNHWC", x, domain=QONNX, **pool))
    equal(tmp_path, g, *outputs)


def test_max_pool_of_negative_values_ignores_its_padding(tmp_path):
    g, outputs = Graph(), []
    down = g.constant("down", [-200])
    for shape in ((1, 3, 7), (1, 2, 5, 5)):
        rank = len(shape) - 2
        x = g.node("Add", g.input(f"x{rank}", shape), down)
        outputs.append(g.node("MaxPool", x, kernel_shape=[3] * rank, strides=[2] * rank, pads=[1] * 2 * rank))
    equal(tmp_path, g, *outputs)


LAYOUTS = {"NC": (1, 4), "NCW": (1, 4, 3), "NWC": (1, 3, 4), "NCHW": (1, 4, 2, 3), "NHWC": (1, 2, 3, 4)}


def test_threshold_finds_its_channel_in_every_layout(tmp_path):
    g, random, outputs = Graph(), np.random.default_rng(3), []
    for layout, shape in LAYOUTS.items():
        x = g.input(layout, shape)
        for rows in (1, 4):  # unsorted rows count the same
            outputs.append(g.threshold(x, random.integers(-129, 130, (rows, 15)), -8, layout))
    equal(tmp_path, g, *outputs)


def test_threshold_at_both_sides_of_each_edge(tmp_path):
    g = Graph()
    x = g.input("x", (1, 256))
    every = g.node("Add", g.node("Mul", x, g.constant("zero", [0])), g.constant("all", np.arange(-128, 128)[None]))
    equal(tmp_path, g, g.threshold(every, [[-128, -1, -1, 0, 1, 127, 128]]))


@pytest.mark.parametrize("scale", [1, 2**20])
def test_thresholds_that_no_sum_or_every_sum_reaches(tmp_path, scale):
    """Sums of 20 and of more than 32 bits: what is stored is a constant, by tensor or by channel, each channel's least
    sum included."""
    g, least, outputs = Graph(), [[-294907 * scale], [-393214 * scale]], []
    y = g.node("MatMul", g.input("x", (1, 3), "INT16"), g.constant("w", scale * np.array([[1, -2], [3, 4], [-5, 6]])))
    facts = {"out_scale": 1.0, "out_bias": 0.0, "out_dtype": "UINT2", "data_layout": "NC"}
    for k, rows in enumerate(([[2**45, 2**46]], [[-(2**45)], [2**45]], [[-(2**45)], [-(2**46)]], least)):
        outputs.append(g.node("MultiThreshold", y, g.constant(f"t{k}", rows), domain=QONNX, **facts))
    equal(tmp_path, g, *outputs)


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


def test_transpose(tmp_path):
    g = Graph()
    x, orders = g.input("x", (1, 3, 4, 2)), [(0, 2, 1, 3), (0, 3, 1, 2), (3, 2, 1, 0), (0, 1, 2, 3)]
    equal(tmp_path, g, *(g.node("Transpose", x, perm=perm) for perm in orders))


BROADCAST = [
    ((1, 3, 4), (4,)),
    ((1, 3, 4), (3, 1)),
    ((1, 3, 1), (1, 1, 4)),
    ((1, 2), (1, 1)),
    ((1, 2, 3, 4), (2, 1, 4)),
]


def test_broadcasting(tmp_path):
    g, random, outputs = Graph(), np.random.default_rng(1), []
    for k, (shape, other) in enumerate(BROADCAST):
        x, w = g.input(f"x{k}", shape), g.constant(f"w{k}", random.integers(-9, 9, other))
        outputs += [g.node(operator, w, x) for operator in ("Add", "Mul")]
    equal(tmp_path, g, *outputs)


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
    assert found.pop("interpreter.infer") == 3 * 32
    assert set(found.values()) == {32}


def test_names_that_c_cannot_take_are_made_into_ones_it_can(tmp_path):
    g, outputs = Graph(), []
    for name in ("a", "arena", "double", "2nd", "x*/y", "größe", "a.b/c:0"):
        x, w = g.input(name, (1, 3)), g.constant("w" + name, [[3, 2, 1]])
        outputs.append(g.node("Mul", x, w, outputs=[name + name]))
    equal(tmp_path, g, *outputs)


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
