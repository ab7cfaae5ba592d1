"""What float32 may make of an exact value.

Never less than onnxruntime does, never much more, and nothing where it is exact.
"""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper
from onnxruntime.capi import onnxruntime_pybind11_state as state

from microstage.errors import ModelError
from microstage.integer.rounding_bounds import STATED, Bounded, bound, unexplained
from microstage.integer.tensor import real

U = 2.0**-24


def node(op, inputs, output="y", **attributes):
    return helper.make_node(op, inputs, [output], **attributes)


def executed(nodes, values, wanted, opset=13):
    """onnxruntime's values of the tensors `wanted`, graph optimisations off."""
    kinds = {name: helper.np_dtype_to_tensor_dtype(value.dtype) for name, value in values.items()}
    inputs = [helper.make_tensor_value_info(name, kind, values[name].shape) for name, kind in kinds.items()]
    graph = helper.make_graph(nodes, "g", inputs, [onnx.ValueInfoProto(name=name) for name in wanted])
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1)], ir_version=8
    )
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return dict(zip(wanted, session.run(wanted, values)))


def bounded(nodes, values):
    return bound(nodes, {name: Bounded.certain(value) for name, value in values.items()})


class Drawn:
    """A random graph of real operators from integers `x` to a quantiser; `values` are its input and its constants."""

    def __init__(self, seed):
        self.rng = np.random.Generator(np.random.PCG64(seed))
        self.width, self.nodes = int(self.rng.integers(2, 5)), []
        self.values = {"x": self.rng.integers(-128, 128, (3, self.width, 5, 6)).astype(np.int8)}
        self.real = self.add(
            "DequantizeLinear", ["x", self.stored(np.float32(self.rng.uniform(0.01, 0.2))), self.stored(np.int8(3))]
        )
        steps = [self.conv, self.norm, self.channelwise, self.function, self.pool, self.gated, self.joined]
        for _ in range(5):
            steps[self.rng.integers(len(steps))]()
        self.real = self.add("Flatten", [self.add("GlobalAveragePool", [self.real])])
        self.real = self.add(
            *self.chosen(
                ("MatMul", [self.real, self.floats((self.width, 5))]),
                ("Gemm", [self.real, self.floats((5, self.width)), self.floats(5)]),
            )
        )
        self.add(
            "QuantizeLinear",
            [self.real, self.stored(np.float32(self.rng.uniform(0.02, 0.5))), self.stored(np.uint8(100))],
        )

    def add(self, op, inputs, **attributes):
        output = f"t{len(self.nodes)}.{op}"
        self.nodes.append(node(op, inputs, output, **({"transB": 1} if op == "Gemm" else attributes)))
        return output

    def stored(self, value):
        name = f"c{len(self.values)}"
        self.values[name] = np.asarray(value)
        return name

    def floats(self, size, low=-2.0, high=2.0):
        return self.stored(self.rng.uniform(low, high, size).astype(np.float32))

    def chosen(self, *which):
        return which[self.rng.integers(len(which))]

    def conv(self):
        before, self.width = self.width, int(self.rng.integers(1, 7))
        weight = self.stored(self.rng.integers(-127, 128, (self.width, before, 3, 3)).astype(np.int8))
        zeros = self.stored(np.zeros(self.width, np.int8))
        weight = self.add("DequantizeLinear", [weight, self.floats(self.width, 0.01, 0.1), zeros], axis=0)
        self.real = self.add("Conv", [self.real, weight, self.floats(self.width)], pads=[1, 1, 1, 1])

    def norm(self):
        parts = [self.floats(self.width) for _ in range(3)]
        self.real = self.add("BatchNormalization", [self.real, *parts, self.floats(self.width, 0.1, 9)])

    def channelwise(self):
        self.real = self.add(
            self.chosen("Add", "Sub", "Mul", "Div"), [self.real, self.floats((self.width, 1, 1), 0.2, 2)]
        )

    def function(self):
        self.real = self.add(self.chosen("Relu", "Sigmoid", "Tanh"), [self.real])

    def pool(self):
        self.real = self.add(
            self.chosen("MaxPool", "AveragePool"), [self.real], kernel_shape=[3, 2], pads=[0, 0, 0, 0], strides=[1, 1]
        )
        self.real = self.add("Concat", [self.real, self.real, self.real], axis=2)

    def gated(self):
        self.real = self.add("Add", [self.real, self.add("Mul", [self.real, self.add("Sigmoid", [self.real])])])

    def joined(self):
        self.real, self.width = self.add("Concat", [self.real, self.add("Relu", [self.real])], axis=1), 2 * self.width


def test_onnxruntime_never_leaves_the_bound_and_comes_near_to_it():
    """Each tensor of 60 random graphs; of each operator, the largest error is at least a hundredth of its bound."""
    nearest = {}
    for seed in range(60):
        drawn = Drawn(seed)
        wanted = [n.output[0] for n in drawn.nodes]
        found, bounds = executed(drawn.nodes, drawn.values, wanted), bounded(drawn.nodes, drawn.values)
        for name, op in ((n.output[0], n.op_type) for n in drawn.nodes):
            exact = real(bounds[name].exact)
            assert not unexplained(exact, found[name], bounds[name]).any(), (seed, name)
            radius = bounds[name].radius
            if radius.any() and op != "QuantizeLinear":  # where a tie is rare
                shares = np.abs(found[name] - exact)[radius > 0] / radius[radius > 0]
                nearest[op] = max(nearest.get(op, 0), float(shares.max()))
    assert {
        "Conv",
        "MatMul",
        "Gemm",
        "BatchNormalization",
        "AveragePool",
        "Sigmoid",
        "Tanh",
        "Add",
        "Sub",
        "Mul",
        "Div",
    } <= nearest.keys()
    assert min(nearest.values()) > 0.01, nearest


SUMS = {  # operator: (shape of x, shape of w, products that one output sums, attributes)
    "tall": ("MatMul", (1, 1000), (1000, 4), 1000, {}),
    "wide": ("MatMul", (1, 4), (4, 1000), 4, {}),
    "stacked": ("MatMul", (2, 3, 5), (5, 70), 5, {}),
    "gemm": ("Gemm", (1, 4), (4, 300), 4, {}),
    "turned": ("Gemm", (1, 4), (300, 4), 4, {"transB": 1}),
    "turned and tall": ("Gemm", (1, 300), (4, 300), 300, {"transB": 1}),
    "image": ("Conv", (1, 2, 5, 5), (70, 2, 3, 2), 12, {}),
    "depthwise": ("Conv", (1, 70, 5, 5), (70, 1, 3, 3), 9, {"group": 70}),
    "row": ("Conv", (1, 6, 9), (2, 6, 4), 24, {}),
}


@pytest.mark.parametrize("kind", SUMS)
def test_a_sum_may_be_off_by_its_own_products_alone(kind):
    """(K + 4) u sum|x w|, K the products of one output.

    A level that is nearer to a boundary is a tie, one that is farther is none.
    """
    op, x_shape, w_shape, products, attributes = SUMS[kind]
    rng = np.random.Generator(np.random.PCG64(1))
    values = {"x": rng.normal(0, 1, x_shape).astype(np.float32), "w": rng.normal(0, 1, w_shape).astype(np.float32)}
    found = bounded([node(op, ["x", "w"], **attributes)], values)["y"]
    sizes = {name: np.abs(value.astype(np.float64)) for name, value in values.items()}
    allowed = (products + 4) * U * real(bounded([node(op, ["x", "w"], **attributes)], sizes)["y"].exact)
    assert np.allclose(found.radius, allowed, rtol=1e-6)
    for share, explained in ((0.95, True), (1.05, False)):
        moved = real(found.exact) + share * allowed
        assert (unexplained(found.exact, moved, found) == (not explained)).all()


@pytest.mark.parametrize(("away", "explained"), [(0.9, True), (-0.9, True), (1.2, False), (-1.2, False), (30, False)])
def test_a_level_is_a_tie_within_the_bound_of_its_boundary_and_nowhere_else(away, explained):
    """A sum that is `away` bounds from the boundary between 4 and 5.

    The other level is one step off, in the one direction that it may be.
    """
    x = np.array([[0.3, 0.7, -0.2]], np.float32)
    size = float(np.abs(x.astype(np.float64)).sum())
    w = np.ones((3, 1), np.float64)
    scale = float(x.astype(np.float64).sum()) / (
        4.5 + away * (3 + 4 + 1) * U * size / float(x.astype(np.float64).sum()) * 4.5
    )
    values = {"x": x, "w": w, "s": np.float64(scale), "z": np.int8(0)}
    found = bounded([node("MatMul", ["x", "w"], "a"), node("QuantizeLinear", ["a", "s", "z"])], values)["y"]
    ours, other = (4, 5) if away < 0 else (5, 4)
    if abs(away) != 30:
        assert int(real(found.exact)[0, 0]) == ours
    assert unexplained(np.array([[ours]]), np.array([[other]]), found).any() == (not explained)
    assert unexplained(np.array([[ours]]), np.array([[2 * ours - other]]), found).all()


def test_no_level_is_ever_two_steps_off():
    """A sum of a thousand large products that cancel: its bound is wider than a step."""
    x = np.full((1, 1000), 1e4, np.float32) * np.where(np.arange(1000) % 2, 1, -1) * np.float32(1.1)
    values = {"x": x, "w": np.full((1000, 1), np.float32(0.3)), "s": np.float32(1.0), "z": np.int8(0)}
    found = bounded([node("MatMul", ["x", "w"], "a"), node("QuantizeLinear", ["a", "s", "z"])], values)["y"]
    answers = [unexplained(np.array([[0]]), np.array([[level]]), found).any() for level in (-2, -1, 0, 1, 2)]
    assert answers == [True, False, False, False, True]


@pytest.mark.parametrize(("factor", "exact"), [(0.5, True), (np.float32(0.3), False)])
def test_where_float32_is_exact_nothing_is_a_tie(factor, exact):
    """Whole numbers at scales that are powers of two.

    A rounding of another kind is a wrong answer, on the boundary too.
    """
    values = {
        "x": np.array([[3, 2]], np.int8),
        "s": np.float32(factor),
        "z": np.int8(0),
        "w": np.array([[1], [1]], np.float32),
        "q": np.float32(5 * factor / 2.5),
    }
    nodes = [
        node("DequantizeLinear", ["x", "s", "z"], "a"),
        node("MatMul", ["a", "w"], "b"),
        node("QuantizeLinear", ["b", "q", "z"]),
    ]
    found = bounded(nodes, values)["y"]
    assert int(real(found.exact)[0, 0]) == 2  # 2.5, half to even
    assert unexplained(np.array([[2]]), np.array([[3]]), found).any() == exact


DEFINED = {"Log": (1e-30, np.inf), "Asin": (-1, 1), "Acos": (-1, 1)}
FIRST = {"HardSwish": 14, "Mish": 18, "Gelu": 20, "Swish": 24}
MICROSOFT = ("FastGelu", "QuickGelu")


@pytest.mark.parametrize("op", STATED)
def test_the_stated_error_of_a_function_is_one_to_a_hundred_times_the_largest_seen(op):
    x = np.arange(0x10000000, 0x42A00000, 8191, np.uint32).view(np.float32)  # 2.5e-29 to 80
    x = np.concatenate([x, -x])
    low, high = DEFINED.get(op, (-np.inf, np.inf))
    x = x[(low <= x) & (x <= high)]
    one = node(op, ["x"], domain="com.microsoft" if op in MICROSOFT else "")
    try:
        found = executed([one], {"x": x}, ["y"], FIRST.get(op, 13))["y"]
    except (
        state.Fail,
        state.InvalidGraph,
        state.InvalidArgument,
        state.NotImplemented,
        state.RuntimeException,
    ) as error:
        pytest.skip(f"onnxruntime {onnxruntime.__version__} has no {op}: {str(error)[:80]}")
    bound_of = bounded([one], {"x": x})["y"]
    with np.errstate(all="ignore"):  # beyond what float32 holds, and where both are zero
        shares = np.nan_to_num(np.abs(found - real(bound_of.exact)) / bound_of.radius)
    assert 0.01 < shares.max() <= 1


def test_an_operator_without_a_rule_is_refused():
    with pytest.raises(ModelError, match="Softmax -> y has no rounding bound"):
        bounded([node("Softmax", ["x"])], {"x": np.zeros((1, 2), np.float32)})
