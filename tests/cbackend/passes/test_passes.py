"""Every pass keeps what the integer program computes, on random graphs, at the ends of every range too."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from graphs import evaluate
from hypothesis import given, settings
from hypothesis import strategies as st
from integer_chains import chains
from integer_networks import networks

from microstage_cbackend.passes.absorb import absorbs_read, absorbs_write
from microstage_cbackend.program.ir import KernelCall, Tensor
from microstage_cbackend.program.wide import Wide


def read(model: onnx.ModelProto, folder: Path):
    from microstage_cbackend.read.graph import read_part

    path = folder / "model.onnx"
    onnx.save(model, path)
    return read_part("model", path, {})


def hold(part, model: onnx.ModelProto, oracle) -> list[str]:
    """Run every pass; after each, and for small machines, the interpreter gives the oracle's integers.

    Returns the kernels that are left for other machines.
    """
    from microstage_cbackend.passes import COMMON, WIDE
    from microstage_cbackend.passes.small import lower_small
    from microstage_cbackend.program.interpret import run

    random = np.random.default_rng(0)
    feeds = [{t.name: random.integers(t.low, t.high + 1, t.shape) for t in part.inputs} for _ in range(3)]
    feeds += [
        {t.name: np.full(t.shape, end) for t in part.inputs for end in [getattr(t, side)]} for side in ("low", "high")
    ]
    wanted = [oracle(model, feed) for feed in feeds]
    for change in (lambda same: None, *COMMON, lower_small, *WIDE):
        other = change(part)
        for feed, expected in zip(feeds, wanted):
            for name, found in run(other or part, feed).items():
                assert np.array_equal(found, expected[name].reshape(found.shape)), (change, name)
    return [layer.kernel for layer in part.layers]


@given(chains())
@settings(max_examples=25, deadline=None)
def test_random_chains(tmp_path_factory, drawn):
    graph, output = drawn
    model = graph.model(output)
    hold(read(model, tmp_path_factory.mktemp("g")), model, evaluate)


@given(networks())
@settings(max_examples=40, deadline=None)
def test_random_networks(tmp_path_factory, drawn):
    graph, output = drawn
    model = graph.model(output)
    hold(read(model, tmp_path_factory.mktemp("q")), model, evaluate)


@pytest.mark.parametrize("values, planes", [((-1, 1), False), ((0, 1), True)])
def test_products_of_signs_count_bits(tmp_path, values, planes):
    from graphs import QONNX, Graph

    random, g = np.random.default_rng(0), Graph()
    scale, bias = float(values[1] - values[0]), float(values[0])
    x, channels = g.input("x", (1, 3, 8, 8) if planes else (1, 8, 8, 3)), 3
    x = g.node("Transpose", x, perm=[0, 2, 3, 1]) if planes else x
    for filters, size in ((70, 3), (6, 2), (5, 1)):
        x = g.node("Im2Col", x, domain=QONNX, stride=[1, 1], kernel_size=[size, size], input_shape="")
        x = g.node("MatMul", x, g.constant(f"w{filters}", random.choice([-1, 1], (size * size * channels, filters))))
        t = g.constant(f"t{filters}", random.integers(-9, 9, (filters, 1)))
        x = g.node("MultiThreshold", x, t, domain=QONNX, out_scale=scale, out_bias=bias, data_layout="NHWC")
        if filters == 70:
            x = g.node("MaxPoolNHWC", x, domain=QONNX, kernel_shape=[2, 2], strides=[2, 2], pads=[0, 0, 0, 0])
        channels = filters
    model = g.model(x)
    kernels = set(hold(read(model, tmp_path), model, evaluate))
    assert kernels == {"ms_pad_u8", "ms_conv_u8", "ms_pack", "ms_or_pool", "ms_xnor_bits", "ms_xnor_sums", "ms_stage"}


def test_a_depthwise_convolution_sees_channels_side_by_side_in_every_lowering(tmp_path):
    from graphs import Graph

    random, g = np.random.default_rng(0), Graph()
    x = g.node("Conv", g.input("x", (1, 3, 6, 6)), g.constant("w", random.integers(-9, 9, (3, 1, 3, 3))), group=3)
    model = g.model(g.threshold(x, [range(-80, 81, 20)], layout="NCHW"))
    hold(read(model, tmp_path), model, evaluate)


def test_counts_of_equal_bits_become_products_of_signs(tmp_path):
    from graphs import QONNX, Graph

    random, g = np.random.default_rng(0), Graph()
    x, channels = g.threshold(g.input("x", (1, 8, 8, 3)), [[2]], layout="NHWC"), 3
    for filters in (70, 5):
        x = g.node("Im2Col", x, domain=QONNX, stride=[1, 1], kernel_size=[3, 3], input_shape="")
        x = g.node(
            "XnorPopcountMatMul",
            x,
            g.constant(f"w{filters}", random.integers(0, 2, (9 * channels, filters))),
            domain=QONNX,
        )
        middle = 9 * channels // 2
        x = g.threshold(x, random.integers(middle - 3, middle + 4, (filters, 1)), layout="NHWC")
        if filters == 70:
            x = g.node("MaxPoolNHWC", x, domain=QONNX, kernel_shape=[2, 2], strides=[2, 2], pads=[0, 0, 0, 0])
        channels = filters
    x = g.node("XnorPopcountMatMul", x, g.constant("last", random.integers(0, 2, (channels, 4))), domain=QONNX)
    model = g.model(x)
    kernels = hold(read(model, tmp_path), model, evaluate)
    assert {"ms_xnor_sums", "ms_or_pool"} <= {*kernels} and "ms_im2col" not in kernels


def test_arg_max_and_top_k_take_the_lowest_of_equals(tmp_path):
    from graphs import Graph

    g = Graph()
    x = g.input("x", (1, 12), "INT2")
    best = g.node("ArgMax", x, axis=1)
    _, three = g.node("TopK", x, g.constant("k", [3], np.int64), outputs=2, axis=1)
    model = g.model(best, three)

    def oracle(_, feed):
        order = np.argsort(-feed["x"], axis=1, kind="stable")
        return {best: order[:, :1], three: order[:, :3]}

    assert hold(read(model, tmp_path), model, oracle) == ["ms_top", "ms_top"]


def test_channels_of_unlike_slopes_over_24_bits_are_lines():
    """Few thousandths of a sum are left to a line between 255 levels: that takes most of a multiplier's 31 bits."""
    from microstage.requantise import Search, fit_affine

    rng = np.random.Generator(np.random.PCG64(0))
    slopes, offsets = rng.uniform(1300, 10400, (80, 1)), rng.uniform(-20000, 20000, (80, 1))
    search = Search(np.ceil(slopes * (np.arange(255) + 0.5) + offsets).astype(np.int64), 1, 0)
    low, high = np.full(80, -5_000_000), np.full(80, 5_000_000)
    line = fit_affine(search, low, high)
    assert line is not None and line.kink is None and line.multiplier.max() < 2**31
    sums = np.concatenate([search.thresholds - 1, search.thresholds, low[:, None], high[:, None]], axis=1)
    levels = (search.thresholds[:, None, :] <= sums[:, :, None]).sum(-1)
    found = (sums * line.multiplier[:, None] + line.offset[:, None]) >> line.shift
    assert np.array_equal(np.clip(found, line.low, line.high), levels)


def test_channels_whose_slopes_no_shift_holds_together_are_one_wide_line(tmp_path):
    """Slopes of 20 to 16,000: the shift that the steepest needs makes the multiplier of the flattest too large."""
    from graphs import Graph

    rng, g = np.random.default_rng(1), Graph()
    slopes, offsets = np.geomspace(20, 16_000, 80)[:, None], rng.uniform(-20000, 20000, (80, 1))
    x = g.input("x", (1, 80), "INT24")
    model = g.model(g.threshold(x, np.ceil(slopes * (np.arange(255) + 0.5) + offsets)))
    part = read(model, tmp_path)
    hold(part, model, evaluate)
    (layer,) = part.layers
    assert isinstance(layer.stage, Wide) and layer.stage.bytes == 24 * 80
    assert part.proofs[0]["steps_compared"] == 80 * 255


def test_a_wide_line_whose_constants_are_full_takes_no_offset():
    full = Wide(np.array([2**59], object), np.array([2**59], object), 59, 0, 1)
    x, y = (Tensor(name, (1, 1, 1), -1, 1) for name in "xy")
    layer = KernelCall("n", "MultiThreshold", "ms_stage", [x], y, {}, "int64_t", stage=full)
    with pytest.raises(OverflowError):
        _ = full.of_raised(np.array([-128])).parts
    assert not absorbs_read(layer) and not absorbs_write(layer)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=120, deadline=None)
def test_a_line_has_the_level_of_channels_that_never_change_it(seed):
    """Thresholds that no sum reaches, or that every sum does, beside those of a line with a kink."""
    from microstage.requantise import Search, fit_affine

    random = np.random.default_rng(seed)
    rows, levels = random.integers(2, 7), random.choice([3, 4, 7])
    low = random.choice([-120, -15, 0], rows)
    high = np.maximum(low, random.choice([0, 15, 120], rows))
    thresholds = np.clip(np.sort(random.integers(-20, 125, (rows, levels)), axis=1), low[:, None], high[:, None] + 1)
    search = Search(thresholds, 1, int(random.integers(-8, 8)))
    line = fit_affine(search, low, high)
    for row in range(rows if line else 0):
        sums = np.arange(low[row], high[row] + 1)
        assert np.array_equal(line.apply(sums, np.full(sums.shape, row)), search.apply(sums, np.full(sums.shape, row)))
