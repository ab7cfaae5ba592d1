"""For small machines: lines of eight bytes a channel equal the stage at every sum, and what is read as it lies."""

import json

import numpy as np
from graphs import Graph, evaluate, single
from hypothesis import given, settings
from hypothesis import strategies as st
from integer_networks import networks
from test_passes import hold, read
from twice_rounded import fitted, twice_rounded
from written import equal, write_files

from microstage.interface import golden
from microstage.requantise import Search, fit_affine
from microstage_bench.compiling import SANITIZERS
from microstage_cbackend.build import SMALL_MACHINE, compile_selftest, run_selftest
from microstage_cbackend.generate import read_model
from microstage_cbackend.passes import COMMON
from microstage_cbackend.passes.small import lower_small
from microstage_cbackend.passes.small.fit_line import fit_line
from microstage_cbackend.program.ir import KernelCall, Tensor
from microstage_cbackend.vectors.plan import make_plan

CHANNELS, REACH = 6, 20_000


def layer_of(stage, low, high) -> KernelCall:
    """A layer of as many filters as there are channels, whose sums reach low..high."""
    x, y = Tensor("x", (1, CHANNELS), 0, 255), Tensor("y", (1, CHANNELS), 0, 255, declared="uint8_t")
    shape = {"filters": CHANNELS, "bits": 8, "together": 2}
    partial = int(low.min()), int(high.max())
    return KernelCall(
        "n", "Conv", "ms_small_conv", [x], y, shape, "int32_t", stage=stage, partial=partial, reach=(low, high)
    )


@st.composite
def quantised(draw):
    """(thresholds, low, high): sums times a scale, plus a whole bias in sums or any, of a few or all levels."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    levels, whole = draw(st.sampled_from([1, 7, 15, 255])), draw(st.booleans())
    step = np.exp(random.uniform(np.log(4), np.log(REACH / levels / 4))) * random.uniform(1, 8, (CHANNELS, 1))
    bias = random.uniform(-REACH / 2, REACH / 2, (CHANNELS, 1))
    steps = step * (np.arange(levels) + 0.5) + (np.rint(bias) if whole else bias)
    low, high = np.sort(random.integers(-REACH, REACH, (2, CHANNELS)), axis=0)
    return np.ceil(steps).astype(np.int64), low, high, whole


@given(quantised())
@settings(max_examples=60, deadline=None)
def test_a_line_equals_its_stage_at_every_sum(drawn):
    thresholds, low, high, whole = drawn
    stage = fit_affine(Search(thresholds, 1, 0), low, high)
    found = stage and fit_line(layer_of(stage, low, high), stage, 0)
    assert found or not whole, "a line of whole biases was not found"
    for channel in range(CHANNELS if found else 0):
        sums = np.arange(low[channel], high[channel] + 1)
        counts = np.searchsorted(thresholds[channel], sums, side="right")
        assert np.array_equal(found.form.apply(sums, np.full(sums.shape, channel)), counts)
        held = (sums << found.form.fine) + found.form.bias[channel]
        assert np.abs(held).max() < (2**31 if found.form.fine else 2**23)


@given(st.integers(0, 2**32 - 1), st.booleans())
@settings(max_examples=30, deadline=None)
def test_a_stage_that_rounds_twice_has_a_line(seed, relu):
    """Slopes of a layer's channels differ by less than 2^5: of more, a kink is no integer."""
    random = np.random.default_rng(seed)
    span = int(np.exp(random.uniform(np.log(2_000), np.log(40_000)))) * random.uniform(1, 1.8, CHANNELS)
    high = np.rint(span * random.uniform(0.2, 1, CHANNELS)).astype(np.int64)
    low = high - np.rint(span).astype(np.int64)
    quantiser = twice_rounded(random, low, high, relu)
    _, found = fitted(quantiser, low, high, {"filters": CHANNELS, "bits": 8, "together": 2})
    assert found is not None
    for channel in range(CHANNELS):
        sums = np.arange(low[channel], high[channel] + 1)
        levels = quantiser.of(np.repeat(sums[:, None], CHANNELS, axis=1))[:, channel]
        assert np.array_equal(found.form.apply(sums, np.full(sums.shape, channel)), levels)
        assert np.abs((sums << found.form.fine) + found.form.bias[channel]).max() < 2**31


def first_layers() -> Graph:
    """int8 planes, as images come, into two convolutions."""
    random, g = np.random.default_rng(3), Graph()
    x = g.input("x", (1, 3, 8, 8), "INT8")
    for channels in (3, 8):
        w = g.constant(f"w{channels}", random.integers(-7, 8, (8, channels, 3, 3)))
        x = g.node("Conv", x, w, pads=[1] * 4)
        bias = random.integers(-400, 400, (8, 1))
        x = g.threshold(x, bias + 60 * np.arange(1, 16), 0, "NCHW", output=["y"] if channels == 8 else 1)
    return g


def test_planes_of_signed_bytes_are_read_as_they_lie(tmp_path):
    g = first_layers()
    part = read(g.model("y"), tmp_path)
    for run in COMMON:
        run(part)
    small = lower_small(part)
    assert [layer.kernel for layer in small.layers] == ["ms_small_conv", "ms_small_conv", "ms_copy"]
    first = small.layers[0].shape
    assert (first["planes"], first["channels"], first["flip"]) == (3, 1, 128)
    compared = equal(tmp_path, g, "y")
    assert compared["small.y"] == compared["y"]
    (proofs,) = json.loads((tmp_path / "out" / "proofs.json").read_text()).values()
    assert [proof["form"] for proof in proofs if proof.get("machine") == "small"] == ["line", "line"]


def test_gates_of_one_input_are_one_matrix(tmp_path):
    random, g = np.random.default_rng(5), Graph()
    both = g.node("Concat", g.input("x", (1, 5), "INT8"), g.input("h", (1, 4), "INT8"), axis=1)
    gates = [g.node("MatMul", both, g.constant(f"w{n}", random.integers(-7, 8, (9, 4)))) for n in range(3)]
    levels = [np.sort(random.integers(-2000, 2000, (rows, 31)), axis=1) for rows in (1, 4, 4)]
    outputs = [g.threshold(gate, t, -15, output=[f"g{n}"]) for n, (gate, t) in enumerate(zip(gates, levels))]
    model = g.model(*outputs)
    part = read(model, tmp_path)
    hold(part, model, evaluate)
    part = read(model, tmp_path)
    for run in COMMON:
        run(part)
    kernels = [layer.kernel for layer in lower_small(part).layers]
    assert kernels == ["ms_copy", "ms_copy", "ms_small_conv_sums", *["ms_stage"] * 3]


def test_sums_that_no_line_makes_bytes_come_from_the_same_kernel(tmp_path):
    """Answers as they are, of a narrow type or with a bias, of signed bytes, and levels of 16 bits."""
    random, g = np.random.default_rng(8), Graph()

    def dense(x: str, size: tuple[int, int], end: int, outputs: list[str] | int) -> str:
        return g.node("MatMul", x, g.constant(f"w{end}", random.integers(-end, end + 1, size)), outputs=outputs)

    x = g.input("x", (1, 9), "INT8")
    h = g.threshold(dense(x, (9, 6), 1, 1), 20 * np.arange(-7, 8)[None])
    biased = g.node("Add", dense(h, (6, 1), 127, 1), g.constant("bias", [[-50_000]]), outputs=["z"])
    steep = g.threshold(dense(x, (9, 5), 90, 1), 40 * np.arange(-300, 300)[None], -300, output=["v"])
    outputs = [dense(h, (6, 5), 7, ["y"]), biased, dense(x, (9, 4), 126, ["u"]), steep]
    part = read(g.model(*outputs), tmp_path)
    for run in COMMON:
        run(part)
    kernels = [layer.kernel for layer in lower_small(part).layers]
    assert set(kernels) == {"ms_small_conv", "ms_small_conv_sums", "ms_stage"}
    compared = equal(tmp_path, g, *outputs)
    assert all(compared[f"small.{name}"] == compared[name] > 0 for name in "yzuv")


def test_a_signal_that_lies_in_a_column_is_walked_as_a_row(tmp_path):
    random, g = np.random.default_rng(9), Graph()
    x = g.input("x", (1, 8, 13, 1), "INT8")
    for groups, name in ((8, 1), (1, ["y"])):
        w = g.constant(f"w{groups}", random.integers(-7, 8, (8, 8 // groups, 3, 1)))
        x = g.node("Conv", x, w, pads=[2, 0, 1, 0], strides=[2, 1], group=groups)
        x = g.threshold(x, random.integers(-400, 400, (8, 1)) + 60 * np.arange(1, 16), 0, "NCHW", output=name)
    part = read(g.model("y"), tmp_path)
    for run in COMMON:
        run(part)
    shapes = [layer.shape for layer in lower_small(part).layers if layer.kernel.startswith("ms_small_")]
    assert [(s["height"], s["width"], s["kernel_w"], s["pad_left"]) for s in shapes] == [(1, 13, 3, 2), (1, 7, 3, 2)]
    compared = equal(tmp_path, g, "y")
    assert compared["small.y"] == compared["y"] > 0


@given(networks())
@settings(max_examples=5, deadline=None)
def test_random_networks_in_c_stay_in_their_memory(tmp_path_factory, drawn):
    graph, output = drawn
    folder = tmp_path_factory.mktemp("c")
    source = single(folder / "in", graph, [output], oracle=evaluate)
    model = read_model(source)
    plan = make_plan(model, golden.load(source / golden.FILE))
    write_files(model, plan, folder)
    compile_selftest(folder, ("-std=c99", "-O1", SMALL_MACHINE, *SANITIZERS))
    assert all(r.compared == r.equal > 0 for r in run_selftest(folder, plan.shapes()))
