"""One network, written in the many ways that exporters have, is one integer graph, with one interface and one set of
answers.
"""

import json

import ml_dtypes
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from stage_runs import StageOnFile
from user_files import small

from microstage_streamline import __main__ as stage
from microstage_streamline.finn.estimate import Estimated

INT64_MAX, INT32_MAX = 2**63 - 1, 2**31 - 1


@pytest.fixture
def own(tmp_path, monkeypatch):
    monkeypatch.setattr(stage, "estimated", lambda *_: Estimated.nothing("left out"))
    return StageOnFile(tmp_path)


class Written:
    """QCDQ: a convolution with a scale per channel, a slice, a dense layer.

    Methods are the places that are written in several ways.
    """

    opset, ir = 21, 10

    def __init__(self) -> None:
        rng = np.random.default_rng(3)
        self.nodes, self.constants, self.count = [], {}, 0
        self.kernel, self.scales = (
            rng.integers(-7, 8, (4, 3, 3, 2)).astype(np.int8),
            rng.uniform(0.01, 0.05, 4).astype(np.float32),
        )
        self.matrix, self.steps = (
            rng.integers(-7, 8, (24, 5)).astype(np.int8),
            rng.uniform(0.01, 0.05, 5).astype(np.float32),
        )
        self.bias = rng.normal(0, 1, 5).astype(np.float32)

    def add(self, op, *inputs, **flags) -> str:
        self.count += 1
        self.nodes.append(helper.make_node(op, list(inputs), [f"t{self.count}"], name=f"{op}_{self.count}", **flags))
        return f"t{self.count}"

    def constant(self, value) -> str:
        self.count += 1
        self.constants[f"c{self.count}"] = np.asarray(value)
        return f"c{self.count}"

    def scale(self, value) -> str:
        return self.constant(np.float32(value))

    def levels(self, value, scale, zero=3) -> str:
        parameters = [self.scale(scale), self.constant(np.int8(zero))]
        return self.add("DequantizeLinear", self.add("QuantizeLinear", value, *parameters), *parameters)

    def dequantised(self, ints, scales, axis) -> str:
        return self.add("DequantizeLinear", self.constant(ints), self.constant(scales), axis=axis)

    def filters(self) -> str:
        return self.dequantised(self.kernel, self.scales, 0)

    def weights(self) -> str:
        return self.dequantised(self.matrix, self.steps, 1)

    def offset(self) -> str:
        return self.constant(self.bias)

    def cut(self, value) -> str:
        """Rows from the second on."""
        return self.add("Slice", value, *(self.constant(np.int64(each)) for each in ([1], [4], [2], [1])))

    def flat(self, value) -> str:
        return self.add("Flatten", value, axis=1)

    def model(self) -> onnx.ModelProto:
        value = self.add("Conv", self.levels("x", 0.043), self.filters(), kernel_shape=[3, 2])
        value = self.flat(self.cut(self.levels(self.add("Relu", value), 0.05, -128)))
        value = self.add("Add", self.add("MatMul", value, self.weights()), self.offset())
        self.nodes[-1].output[0] = "z"
        self.levels("z", 0.09, 0)
        self.nodes[-1].output[0] = "y"
        border = [
            [helper.make_tensor_value_info(name, 1, shape)] for name, shape in (("x", ["N", 3, 6, 3]), ("y", None))
        ]
        kept = [numpy_helper.from_array(value, name) for name, value in self.constants.items()]
        graph = helper.make_graph(self.nodes, "written", *border, kept)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=self.ir)


class ByInputChannel(Written):
    """tf2onnx: filters as height, width, input, output; the matrix of a dense layer transposed."""

    def filters(self):
        return self.add(
            "Transpose", self.dequantised(self.kernel.transpose(2, 3, 1, 0), self.scales, 3), perm=[3, 2, 0, 1]
        )

    def weights(self):
        return self.add("Transpose", self.dequantised(np.ascontiguousarray(self.matrix.T), self.steps, 0))


class Reshaped(Written):
    """Filters and matrix in other shapes, brought back behind their scales."""

    def filters(self):
        return self.add(
            "Reshape",
            self.dequantised(self.kernel.reshape(4, -1), self.scales, 0),
            self.constant(np.int64([4, 3, 3, 2])),
        )

    def weights(self):
        return self.add(
            "Squeeze", self.dequantised(self.matrix[:, None], self.steps, -1), self.constant(np.int64([-2]))
        )


class Unsqueezed(Written):
    def filters(self):
        flat = self.dequantised(self.kernel.reshape(12, 3, 2), self.scales.repeat(3), 0)
        return self.add(
            "Reshape", self.add("Unsqueeze", flat, self.constant(np.int64([0]))), self.constant(np.int64([4, 3, -1, 2]))
        )


class NumberAtAnAxis(Written):
    """A single number that is quantised along its last axis, of which it has none: QLinearAdd with a constant."""

    def offset(self):
        zero = self.add("DequantizeLinear", self.constant(np.int8(0)), self.scale(0.5), axis=-1)
        return self.add("Add", self.constant(self.bias), zero)


class ByHand(Written):
    """Dequantised by ordinary operators, repeated by one."""

    def filters(self):
        raw = self.add("Cast", self.constant((self.kernel + 8).astype(np.uint8)), to=TensorProto.FLOAT)
        shifted = self.add("Sub", raw, self.constant(np.float32(8)))
        return self.add("Mul", shifted, self.constant(self.scales.reshape(4, 1, 1, 1)))

    def weights(self):
        halves = self.add("Cast", self.constant(self.matrix), to=TensorProto.FLOAT)
        whole = self.add("Tile", self.add("Mul", halves, self.constant(self.steps)), self.constant(np.int64([1, 1])))
        return self.add("Div", whole, self.constant(np.float32(1)))


class Computed(Written):
    """Constants that nodes compute: powers, roots, ranges, shapes of shapes, every kind of Constant."""

    def scale(self, value):
        root = np.float32(value)
        return self.add(
            "Mul",
            self.constant(root),
            self.add("Pow", self.constant(np.float32(7)), self.add("Constant", value_float=0.0)),
        )

    def offset(self):
        size = self.add("Shape", self.constant(np.zeros((5, 2), np.int8)), end=1)
        zeros = self.add("ConstantOfShape", size, value=numpy_helper.from_array(np.float32([0])))
        return self.add("Sub", self.constant(self.bias), self.add("Sqrt", zeros))

    def cut(self, value):
        first, last = self.add("Constant", value_int=1), self.add("Constant", value_ints=[4])
        starts = self.add("Unsqueeze", first, self.add("Constant", value_ints=[0]))
        axes = self.add("Range", *(self.constant(np.int64(n)) for n in (2, 3, 1)))
        return self.add("Slice", value, starts, last, axes)

    def flat(self, value):
        batch = self.add("Gather", self.add("Shape", value), self.constant(np.int64(0)))
        sizes = [self.add("Unsqueeze", batch, self.constant(np.int64([0]))), self.constant(np.int64([-1]))]
        return self.add("Reshape", value, self.add("Concat", *sizes, axis=0))


class Branching(Written):
    """torch's way of saying that a shape decides, when it is written."""

    def flat(self, value):
        channels = self.add("Gather", self.add("Shape", value), self.constant(np.int64(1)))
        branches = {}
        for name, op in (("then_branch", "Flatten"), ("else_branch", "Identity")):
            node = helper.make_node(op, [value], [f"{op}/out"], name=f"{op}/inner")
            branches[name] = helper.make_graph([node], name, [], [helper.make_tensor_value_info(f"{op}/out", 1, None)])
        return self.add("If", self.add("Equal", channels, self.constant(np.int64(4))), **branches)


class Counted(Written):
    """Axes from behind, slices to the end of all numbers, axes that are left out."""

    def __init__(self, start, end):
        super().__init__()
        self.ends = start, end

    def cut(self, value):
        return self.add("Slice", value, *(self.constant(np.int64([each])) for each in (*self.ends, -2)))

    def flat(self, value):
        return self.add("Flatten", value, axis=-3)

    def filters(self):
        return self.dequantised(self.kernel, self.scales, -4)


class Backwards(Written):
    """Twice in falling order is the rising one."""

    def cut(self, value):
        for start, end in ((-1, -4), (INT64_MAX, -INT64_MAX)):
            value = self.add("Slice", value, *(self.constant(np.int64([each])) for each in (start, end, 2, -1)))
        return value


class NotGiven(Written):
    """Optional inputs as empty names."""

    def dequantised(self, ints, scales, axis):
        return self.add("DequantizeLinear", self.constant(ints), self.constant(scales), "", axis=axis)

    def cut(self, value):
        every = [self.constant(np.int64(each)) for each in ([0, 0, 1, 0], [INT64_MAX] * 4)]
        return self.add("Slice", value, *every, "", self.constant(np.int64([1] * 4)))

    def levels(self, value, scale, zero=3):
        inside = self.add("Clip", value, "", self.scale(1000)) if zero == -128 else value
        return super().levels(inside, scale, zero)


class Blocks(Written):
    """4 bits, in blocks of one scale; types by attributes."""

    def levels(self, value, scale, zero=3):
        if zero:
            return super().levels(value, scale, zero)
        return self.add(
            "DequantizeLinear",
            self.add("QuantizeLinear", value, self.scale(scale), output_dtype=TensorProto.INT8),
            self.scale(scale),
        )

    def filters(self):
        return self.dequantised(self.kernel.astype(ml_dtypes.int4), self.scales, 0)

    def weights(self):
        ints, scales = self.constant(self.matrix.astype(ml_dtypes.int4)), self.constant(np.tile(self.steps, (3, 1)))
        return self.add("DequantizeLinear", ints, scales, axis=0, block_size=8)


def at(opset, ir):
    return type("At", (Written,), {"opset": opset, "ir": ir})


def with_function(model):
    """The positive part is a function of the model's own."""
    body = [helper.make_node("Relu", ["a"], ["b"])]
    model.functions.append(helper.make_function("local", "Positive", ["a"], ["b"], body, [helper.make_opsetid("", 21)]))
    model.opset_import.append(helper.make_opsetid("local", 1))
    (node,) = [node for node in model.graph.node if node.op_type == "Relu"]
    node.op_type, node.domain = "Positive", "local"
    return model


def with_sparse(model):
    """The matrix as its values and their places."""
    (whole,) = [tensor for tensor in model.graph.initializer if list(tensor.dims) == [24, 5]]
    value = numpy_helper.to_array(whole)
    places = np.flatnonzero(value)
    values, indices = (
        numpy_helper.from_array(value.ravel()[places], whole.name),
        numpy_helper.from_array(places.astype(np.int64), "places"),
    )
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, indices, [24, 5]))
    model.graph.initializer.remove(whole)
    return model


def as_inputs(model):
    for tensor in model.graph.initializer:
        model.graph.input.append(helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims)))
    return model


def as_nodes(model):
    """Every constant by a node, the last one first."""
    for tensor in model.graph.initializer:
        model.graph.node.append(helper.make_node("Constant", [], [tensor.name], value=tensor))
    del model.graph.initializer[:]
    return model


FORMS = {
    **{f"opset {opset}": lambda opset=opset: at(opset, 14)().model() for opset in (13, 16, 18, 22, 23, 24, 25)},
    "transposed behind the scales": lambda: ByInputChannel().model(),
    "reshaped behind the scales": lambda: Reshaped().model(),
    "dequantised by hand": lambda: ByHand().model(),
    "a number quantised at an axis": lambda: NumberAtAnAxis().model(),
    "computed constants": lambda: Computed().model(),
    "a branch": lambda: Branching().model(),
    "to the end in 63 bits": lambda: Counted(1, INT64_MAX).model(),
    "to the end in 31 bits": lambda: Counted(-3, INT32_MAX).model(),
    "twice backwards": lambda: Backwards().model(),
    "optional inputs": lambda: NotGiven().model(),
    "blocks of 4 bits": lambda: Blocks().model(),
    "a function": lambda: with_function(Written().model()),
    "sparse": lambda: with_sparse(Written().model()),
    "constants as inputs": lambda: as_inputs(Written().model()),
    "constants as nodes": lambda: as_nodes(Written().model()),
}
LONGER = ("twice backwards",)  # with moves of its own


def found(own) -> tuple:
    """(interface, answers to the same inputs, operators and constants of the integer graph)."""
    graph = onnx.load(str(own.out / "model_finn_streamlined.onnx")).graph
    constants = sorted(numpy_helper.to_array(i).tobytes() for i in graph.initializer)
    operators = [(node.op_type, sorted(str(a) for a in node.attribute)) for node in graph.node]
    vectors = np.load(own.out / "golden.npz")
    return own.interface(), {name: vectors[name].tolist() for name in ("x", "y")}, operators, constants


def test_every_form_is_the_same_network(own):
    assert own.run(Written().model()) == 0
    expected = found(own)
    for form, make in FORMS.items():
        assert own.run(make()) == 0, form
        assert own.unresolved() == [], form
        for mine, wanted in zip(found(own), expected[:2] if form in LONGER else expected):
            assert mine == wanted, form


def test_weights_beside_the_file_are_the_same_network_and_the_file_is_named_as_its_owner_does(own, capfd):
    assert own.run(Written().model()) == 0
    expected = found(own)
    model = Written().model()
    (own.source / "data").mkdir()
    onnx.save(
        model, str(own.source / "kept.onnx"), save_as_external_data=True, location="data/kept.bin", size_threshold=0
    )
    (own.source / "names.json").write_text(json.dumps({"model.onnx": "my net.onnx"}))
    assert own.run((own.source / "kept.onnx").read_bytes()) == 0 and found(own) == expected
    (own.source / "data" / "kept.bin").unlink()
    capfd.readouterr()
    assert own.run((own.source / "kept.onnx").read_bytes()) == 2
    said = capfd.readouterr().err
    assert (
        said.startswith("microstage streamline: my net.onnx: ") and "data/kept.bin" in said and "model.onnx" not in said
    )


def test_old_opsets_and_new_irs_are_the_same_network(own):
    expected = None
    for opset, ir in ((9, 3), (10, 4), (11, 6), (12, 7), (17, 8), (21, 11), (25, 14)):
        model = small().model(opset=opset, ir_version=ir)
        assert own.run(as_inputs(model) if ir == 3 else model) == 0, opset
        expected = expected or found(own)
        assert found(own) == expected, opset
