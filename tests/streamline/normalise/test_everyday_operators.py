"""Everyday operators: a branch of one file for each, every layer of which onnxruntime computes, and all of them in C at
once.
"""

import json
import subprocess

import numpy as np
import pytest
from doors import environment, python_of
from onnx import TensorProto, helper, numpy_helper
from stage_runs import StageOnFile

S, ZERO = 0.0431, np.int8(0)


class Net:
    """A QDQ file in the making: `add` a node, `q` quantise and dequantise, `w` weights; what is `given` answers."""

    def __init__(self, opset=18):
        self.rng, self.opset = np.random.Generator(np.random.PCG64(0)), opset
        self.nodes, self.kept, self.inputs, self.outputs = [], [], [], []

    def add(self, op, *inputs, outputs=1, domain="", **flags):
        names = [f"{op}{len(self.nodes)}.{k}" for k in range(outputs)]
        stored = [name if isinstance(name, str) else self.keep(name) for name in inputs]
        self.nodes.append(helper.make_node(op, stored, names, name=names[0], domain=domain, **flags))
        return names[0] if outputs == 1 else names

    def keep(self, value):
        value = np.asarray(value)
        value = value.astype({"f": np.float32}.get(value.dtype.kind, value.dtype))
        self.kept.append(numpy_helper.from_array(value, f"c{len(self.kept)}"))
        return f"c{len(self.kept) - 1}"

    def q(self, value, scale=0.0893, zero=ZERO):
        return self.add("DequantizeLinear", self.add("QuantizeLinear", value, scale, zero), scale, zero)

    def w(self, *shape, scale=0.0217, axis=0):
        ints = self.rng.integers(-7, 8, shape).astype(np.int8)
        return self.add("DequantizeLinear", ints, scale, np.zeros(np.shape(scale), np.int8), axis=axis)

    def input(self, *shape, scale=S):
        self.inputs.append(helper.make_tensor_value_info(f"x{len(self.inputs)}", TensorProto.FLOAT, [1, *shape]))
        return self.q(self.inputs[-1].name, scale)

    def given(self, value, kind=TensorProto.FLOAT):
        self.outputs.append(helper.make_tensor_value_info(value, kind, None))

    def model(self):
        graph = helper.make_graph(self.nodes, "everyday", self.inputs, self.outputs, self.kept)
        opsets = [helper.make_opsetid("", self.opset), helper.make_opsetid("com.microsoft", 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def functions(net):
    """Of the sums of a convolution, or of what a quantiser made of them."""
    x = net.input(3, 5, 5)
    sums = net.add("Conv", x, net.w(4, 3, 3, 3))
    levels = net.q(sums)
    each = np.array([0.1, -0.3, 0.25, 1.0]).reshape(4, 1, 1)
    for op, flags in (
        ("Elu", {}),
        ("Selu", {}),
        ("Celu", {"alpha": 0.7}),
        ("Softplus", {}),
        ("HardSigmoid", {}),
        ("Exp", {}),
        ("Mish", {}),
        ("LeakyRelu", {"alpha": 0.1}),
        ("LeakyRelu", {"alpha": -0.2}),
        ("Sign", {}),
        ("ThresholdedRelu", {}),
        ("Round", {}),
    ):
        net.given(net.q(net.add(op, sums, **flags), 0.031))
    for op in ("Abs", "HardSwish", "Cos", "Neg"):
        net.given(net.q(net.add(op, levels), 0.031))
    half = net.add("Add", net.add("Erf", net.add("Div", sums, 1.41421356)), 1.0)
    composed = net.add("Mul", levels, net.add("Clip", net.add("Add", levels, 3.0), 0.0, 6.0))
    for value in (
        net.add("PRelu", sums, each),
        net.add("Min", net.add("Max", 0.0, sums), 6.0),
        net.add("Sub", 1.0, sums),
        net.add("Clip", sums, "", 1.0),
        net.add("Mul", sums, net.add("Sigmoid", sums)),
        net.add("Mul", net.add("Mul", sums, half), 0.5),
        net.add("Div", composed, 6.0),
        net.add("Pow", levels, 2.0),
        net.add("Where", net.add("Less", 0.2, sums), sums, -0.5),
        net.add("Add", sums, net.rng.normal(size=(4, 3, 3))),
    ):
        net.given(net.q(value, 0.071))
    net.given(net.add("Cast", net.add("Greater", sums, 0.1), to=TensorProto.FLOAT))


def moves(net):
    x = net.q(net.add("Conv", net.input(3, 4, 4), net.w(4, 3, 1, 1)))
    pads = np.array([0, 0, 1, 2, 0, 0, 2, 1])
    for value in (
        net.add("Pad", x, pads),
        net.add("Pad", x, pads, 0.0893 * 7),
        net.add("Pad", x, pads, mode="reflect"),
        net.add("Pad", x, pads, mode="edge"),
        net.add("Pad", x, np.array([-1, 2]), "", np.array([-1])),
        net.add("Tile", x, np.array([1, 1, 2, 1])),
        net.add("DepthToSpace", x, blocksize=2),
        net.add("DepthToSpace", x, blocksize=2, mode="CRD"),
        net.add("SpaceToDepth", x, blocksize=2),
        net.add("Gather", x, np.array([3, 0, 2, 1, 1]), axis=1),
        net.add("GatherElements", x, net.rng.integers(0, 4, (1, 4, 4, 4)), axis=3),
        net.add("Slice", x, [-1], [-9], [3], [-1]),
        net.add("Expand", net.add("ReduceMax", x, [3]), np.array([1, 4, 4, 3])),
        net.add("Resize", x, "", np.array([1, 1, 2, 0.5]), mode="nearest"),
        net.add(
            "Resize",
            x,
            "",
            "",
            np.array([1, 4, 7, 3]),
            mode="nearest",
            coordinate_transformation_mode="align_corners",
            nearest_mode="ceil",
        ),
        net.q(net.add("Concat", x, net.q(net.add("Conv", x, net.w(2, 4, 1, 1)), 0.0131), axis=1)),
        net.add("Gather", x, np.array(-1), axis=2),
    ):
        net.given(net.add("Flatten", value))


def padded(net):
    """Quantisers behind a pad, whose fill becomes one of their integers: at the input, behind sums and functions of
    them.
    """
    pads = np.array([0, 0, 1, 2, 0, 0, 2, 1])
    net.inputs.append(helper.make_tensor_value_info("x0", TensorProto.FLOAT, [1, 3, 6, 5]))
    sums = net.add("Conv", net.q(net.add("Pad", "x0", pads, 0.7), zero=np.int8(-20)), net.w(4, 3, 3, 3))
    for value, fill in ((sums, ()), (net.add("LeakyRelu", sums, alpha=0.1), (-0.4,))):
        net.given(net.q(net.add("Pad", value, pads, *fill), 0.031, np.int8(7)))


def pools(net):
    x = net.input(4, 8, 7)
    window = {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}
    for value in (
        net.add("MaxPool", x, ceil_mode=1, **window),
        net.add("MaxPool", x, kernel_shape=[3, 2], dilations=[2, 3], pads=[1, 1, 1, 1]),
        net.add("AveragePool", x, **window),
        net.add("AveragePool", x, count_include_pad=1, **window),
        net.add("AveragePool", x, kernel_shape=[3, 2], strides=[2, 2], ceil_mode=1),
        net.add("GlobalMaxPool", x),
        net.add("MaxPool", x, kernel_shape=[2, 2], outputs=2)[0],
        *(
            net.add(f"Reduce{op}", x, np.array(axes), keepdims=keeps)
            for op in ("Sum", "Mean", "Max", "Min")
            for axes, keeps in (([1], 1), ([-1, 1], 0), ([3], 0))
        ),
    ):
        net.given(net.q(value, 0.061))


def products(net):
    x = net.input(4, 4, 4)
    for shape, flags in (
        ((4, 3, 3, 3), {"strides": [2, 2], "pads": [1, 0, 1, 1]}),
        ((4, 2, 2, 3), {"group": 2, "strides": [2, 1], "output_padding": [1, 0]}),
        ((4, 3, 2, 2), {"dilations": [2, 1]}),
        ((4, 3, 1, 1), {"strides": [2, 2]}),
    ):
        scale = net.rng.uniform(0.01, 0.03, shape[1])
        net.given(
            net.q(
                net.add(
                    "ConvTranspose",
                    x,
                    net.w(*shape, scale=scale, axis=1),
                    np.ones(shape[1] * flags.get("group", 1)) * 0.3,
                    **flags,
                )
            )
        )
    net.given(net.q(net.add("MatMul", net.w(5, 4, scale=net.rng.uniform(0.01, 0.03, 5)), x)))
    row = net.q(net.add("Flatten", x), 0.05)
    net.given(net.q(net.add("Gemm", row, net.w(5, 64), net.rng.normal(size=5), transB=1, alpha=0.5, beta=2.0)))
    net.given(net.q(net.add("Gemm", row, net.w(64, 5), np.float32(0.3), alpha=-0.7)))


def volumes(net):
    x = net.input(2, 5, 4, 4)
    net.given(
        net.q(
            net.add(
                "Conv", x, net.w(4, 1, 3, 2, 3), np.ones(4) * 0.3, group=2, pads=[1, 1, 1, 0, 1, 1], strides=[2, 1, 1]
            )
        )
    )
    for op in ("MaxPool", "AveragePool"):
        net.given(net.q(net.add(op, x, kernel_shape=[2, 2, 2], strides=[2, 2, 1])))


def pairs(net):
    """Tensors that meet: at two scales, broadcast or not."""
    a, b = net.input(4, 5, 5), net.input(4, 5, 5, scale=0.0713)
    gate = net.q(net.add("HardSigmoid", net.q(net.add("GlobalAveragePool", a), 0.02)), 1 / 256, np.uint8(0))
    total = net.add("Add", a, b)
    for value in (
        net.add("Sub", a, b),
        net.add("Add", a, gate),
        net.add("Sum", a, a, b),
        net.add("Mean", a, b),
        net.add("Max", a, b),
        net.add("Min", b, a),
        net.add("Mul", a, gate),
        net.add("Mul", net.add("Sub", 1.0, gate), b),
        net.add("Mul", total, net.add("Sigmoid", total)),
        net.add("Mul", a, b),
    ):
        net.given(net.q(value, 0.0831))


def ends(net):
    row = net.q(net.add("MatMul", net.input(8), net.w(8, 6)))
    values, places = net.add("TopK", row, np.array([3]), outputs=2, axis=-1)
    net.given(values)
    net.given(places, TensorProto.INT64)
    net.given(net.add("TopK", row, np.array([2]), outputs=2, axis=1, largest=0)[1], TensorProto.INT64)
    for op, flags in (("ArgMin", {"axis": 1}), ("ArgMax", {"axis": -1, "keepdims": 0, "select_last_index": 1})):
        net.given(net.add(op, row, **flags), TensorProto.INT64)
    net.given(net.add("ArgMax", net.add("Softmax", row, axis=-1), axis=-1), TensorProto.INT64)


def microsoft(net):
    """The QOperator format, and what onnxruntime adds to it."""
    shape, u = (4, 6, 6), np.uint8
    net.inputs += [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, *shape]) for name in ("x0", "x1")]
    a, b = (
        net.add("QuantizeLinear", name, scale, u(zero)) for name, scale, zero in (("x0", S, 117), ("x1", 0.0217, 90))
    )
    one, two, out = (np.float32(S), u(117)), (np.float32(0.0217), u(90)), (np.float32(0.0893), u(101))
    flat = net.add("Flatten", a)
    weights = (
        net.rng.integers(-90, 91, (5, 4, 3, 3)).astype(np.int8),
        net.rng.uniform(0.01, 0.03, 5),
        np.zeros(5, np.int8),
    )
    rows = net.rng.integers(-90, 91, (144, 3)).astype(np.int8)
    domain = {"domain": "com.microsoft"}
    for value in (
        net.add("QLinearConv", a, *one, *weights, *out, net.rng.integers(-900, 901, 5).astype(np.int32), pads=[1] * 4),
        net.add("QLinearMatMul", flat, *one, rows, np.float32(0.002), np.int8(0), *out),
        net.add("QLinearAdd", a, *one, b, *two, *out, **domain),
        net.add("QLinearMul", a, *one, b, *two, *out, **domain),
        net.add("QLinearConcat", *out, a, *one, b, *two, axis=1, **domain),
        net.add("QLinearLeakyRelu", a, *one, *out, alpha=0.1, **domain),
        net.add("QLinearSigmoid", a, *one, *out, **domain),
        net.add("QLinearGlobalAveragePool", a, *one, *out, channels_last=0, **domain),
        net.add(
            "QGemm",
            flat,
            *one,
            rows,
            np.float32(0.002),
            np.int8(0),
            net.rng.integers(-900, 901, 3).astype(np.int32),
            *out,
            **domain,
        ),
    ):
        net.given(net.add("DequantizeLinear", value, *out))
    counted = net.add("Cast", net.add("MatMulInteger", flat, rows, u(117)), to=TensorProto.FLOAT)
    net.given(net.q(net.add("Mul", counted, net.rng.uniform(0.0001, 0.0002, 3))))


FAMILIES = (functions, moves, padded, pools, products, volumes, pairs, ends, microsoft)


def file_of(*families):
    net = Net()
    for family in families:
        family(net)
    return net.model()


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__)
def test_every_operator_of_a_family_is_integers_that_onnxruntime_agrees_with(tmp_path, family):
    own = StageOnFile(tmp_path)
    assert own.run(file_of(family)) == 0 and own.unresolved() == []
    compared = own.metrics()["compared"]["layers"]
    assert compared["layers"] > 3 and not compared["uncompared"]
    assert_c_repeats(tmp_path, own.out)


def assert_c_repeats(folder, artefact):
    """Every golden vector, by the self test of the C that is made of it."""
    words = ["--in", f"streamline={artefact}", "--out", str(folder / "c"), "--scratch", str(folder / "scratch")]
    done = subprocess.run(
        [python_of("cbackend"), "-m", "microstage_cbackend", *words],
        env=environment("cbackend"),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-1000:]
    proved = json.loads((folder / "c" / "report.json").read_text())["verification"]
    assert proved and all(v["equal"] == v["compared"] > 0 for v in proved)


@pytest.mark.parametrize(
    ("op", "said"),
    [
        ("Resize", "only nearest"),
        ("TopK", "sorted=1"),
        ("QLinearSoftmax", "QLinearSoftmax"),
        ("Sin", "quantiser in front"),
    ],
)
def test_what_has_no_integers_is_told_by_name(tmp_path, capfd, op, said):
    own, net = StageOnFile(tmp_path), Net()
    x = net.input(40, 16, 16)
    if op == "Resize":
        net.given(net.add("Resize", x, "", np.array([1, 1, 2, 2]), mode="linear"))
    elif op == "TopK":
        net.given(net.add("TopK", x, np.array([2]), outputs=2, axis=1, sorted=0)[0])
    elif op == "Sin":
        weights = net.add(
            "DequantizeLinear",
            np.full((256, 40, 5, 5), 127, np.int8),
            0.01 + np.arange(256) / 1e4,
            np.zeros(256, np.int8),
            axis=0,
        )
        net.given(net.q(net.add("Sin", net.add("Conv", x, weights))))
    else:
        parameters = (np.float32(S), np.uint8(0))
        net.given(
            net.add(
                "QLinearSoftmax",
                net.add("QuantizeLinear", x, *parameters),
                *parameters,
                np.float32(1 / 256),
                np.uint8(0),
                domain="com.microsoft",
                axis=1,
                opset=13,
            ),
            TensorProto.UINT8,
        )
    assert own.run(net.model()) in (2, 3)
    assert said in capfd.readouterr().err
