"""Random quantised networks on which floats are exact, as files, with the answers of an executor that is none of ours.

    python exact_networks.py FOLDER SEED ...     write <seed>.onnx and <seed>.npz (real inputs and answers, by name) of each seed

Every scale is a power of two and every sum is small, so that float32 makes no rounding but the quantisers' own: onnxruntime (graph
optimisations off) or qonnx give THE answer, and whoever differs from it by one level is wrong. Run in streamline's environment.
"""

import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

VECTORS = 12
QONNX = "qonnx.custom_op.general"


class ExactNetwork:
    """A graph in the making. `values` are its float values on the inputs, `step` the power of two that they are multiples of."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.qonnx = bool(seed % 2)
        self.nodes, self.constants, self.inputs, self.count = [], {}, {}, 0

    def add(self, operator: str, inputs: list[str], domain: str = "", **flags) -> str:
        self.count += 1
        name = f"{operator.lower()}/{self.count}"
        self.nodes.append(helper.make_node(operator, inputs, [name], name=name, domain=domain, **flags))
        return name

    def constant(self, value, kind=np.float32) -> str:
        self.count += 1
        self.constants[f"c{self.count}"] = np.asarray(value, kind)
        return f"c{self.count}"

    def given(self, name: str, shape: list[int]) -> str:
        """A real input, of values up to 4."""
        self.inputs[name] = (self.rng.integers(-1024, 1025, (VECTORS, *shape)) / 256).astype(np.float32)
        return name

    def quantised(self, value: str, bits: int = 8, signed: bool = True, shift: int | None = None) -> str:
        """Round to `bits` at a power of two that uses the range, or at 2^shift."""
        peak = max(float(np.abs(self.run([value])[0]).max()), 2.0**-6)
        exponent = int(np.ceil(np.log2(peak))) - bits + int(signed) if shift is None else shift
        scale = 2.0 ** (exponent - int(self.rng.integers(0, 2)))
        if self.qonnx:
            narrow = int(self.rng.integers(0, 2))
            parameters = [self.constant(v) for v in (scale, 0, bits)]
            return self.add("Quant", [value, *parameters], QONNX, signed=int(signed), narrow=narrow, rounding_mode="ROUND")
        kind = np.int8 if self.rng.integers(0, 2) else np.uint8
        middle = (0 if kind == np.int8 else 128) if signed else np.iinfo(kind).min
        zero = int(np.clip(middle + self.rng.integers(-20, 21), np.iinfo(kind).min, np.iinfo(kind).max))
        parameters = [self.constant(scale), self.constant(zero, kind)]
        stored = self.add("QuantizeLinear", [value, *parameters])
        if bits < 8:
            low, high = (zero - 2 ** (bits - 1), zero + 2 ** (bits - 1) - 1) if signed else (zero, zero + 2**bits - 1)
            ends = np.clip([low, high], np.iinfo(kind).min, np.iinfo(kind).max)
            stored = self.add("Clip", [stored, *(self.constant(end, kind) for end in ends)])
        return self.add("DequantizeLinear", [stored, *parameters])

    def weights(self, shape: list[int], axis: int, bits: int) -> str:
        """Integers at one power of two, or at one of each output channel; some channels are zero, and so dead."""
        ints = self.rng.integers(-(2 ** (bits - 1)) + 1, 2 ** (bits - 1), shape)
        each = [shape[axis] if place == axis else 1 for place in range(len(shape))]
        if self.rng.integers(0, 2):
            ints = ints * (self.rng.random(each) > 0.2)
        scale = 2.0 ** (-bits - self.rng.integers(0, 3, each if self.rng.integers(0, 2) else [1] * len(shape)))
        if self.qonnx:
            real = self.constant(ints * scale)
            parameters = [self.constant(scale), self.constant(0), self.constant(bits)]
            return self.add("Quant", [real, *parameters], QONNX, signed=1, narrow=0, rounding_mode="ROUND")
        flat = scale.reshape(-1)
        scales, zeros = (flat, np.zeros(flat.shape)) if flat.size > 1 else (flat[0], 0)
        return self.add("DequantizeLinear", [self.constant(ints, np.int8), self.constant(scales), self.constant(zeros, np.int8)], axis=axis)

    def bias(self, width: int) -> np.ndarray:
        return self.rng.integers(-64, 65, width) / 64

    def dense(self, value: str, width: int, bits: int = 5) -> str:
        depth = self.shape(value)[-1]
        if self.rng.integers(0, 2):
            return self.add("Gemm", [value, self.weights([width, depth], 0, bits), self.constant(self.bias(width))], transB=1)
        return self.add("Add", [self.add("MatMul", [value, self.weights([depth, width], 1, bits)]), self.constant(self.bias(width))])

    def conv(self, value: str, channels: int, groups: int = 1, bits: int = 4, keep: bool = False) -> str:
        """Any kernel, stride, dilation and pads; `keep`: those that leave height and width as they are."""
        depth, *size = self.shape(value)[1:]
        kernel = [3] * len(size) if keep else [int(self.rng.integers(1, min(4, n) + 1)) for n in size]
        stride = [1] * len(size) if keep else [int(self.rng.integers(1, 3)) for _ in size]
        pads = [1] * 2 * len(size) if keep else [int(self.rng.integers(0, 2)) for _ in [*size, *size]]
        inputs = [value, self.weights([channels, depth // groups, *kernel], 0, bits)]
        if self.rng.integers(0, 2):
            inputs.append(self.constant(self.bias(channels)))
        return self.add("Conv", inputs, kernel_shape=kernel, strides=stride, pads=pads, group=groups)

    def activation(self, value: str, bits: int | None = None) -> str:
        bits = bits or int(self.rng.choice([8, 8, 4, 3]))
        relu = bool(self.rng.integers(0, 2))
        return self.quantised(self.add("Relu", [value]) if relu else value, bits, not relu)

    def shape(self, value: str) -> list[int]:
        return list(self.run([value])[0].shape)

    def run(self, wanted: list[str]) -> list[np.ndarray]:
        return execute(self.model(wanted), self.inputs)

    def model(self, outputs: list[str]) -> onnx.ModelProto:
        ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", *value.shape[1:]]) for name, value in self.inputs.items()]
        answers = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs]
        kept = [numpy_helper.from_array(value, name) for name, value in self.constants.items()]
        opsets = [helper.make_opsetid("", 13), helper.make_opsetid(QONNX, 1)]
        return helper.make_model(helper.make_graph(self.nodes, "exact", ends, answers, kept), opset_imports=opsets, ir_version=8)


def image(net: ExactNetwork) -> str:
    """An image, channels first or last, through convolutions, branches and pools, to a row."""
    channels, size = int(net.rng.integers(1, 4)), [int(n) for n in net.rng.integers(5, 10, 2)]
    if net.rng.integers(0, 2):
        value = net.add("Transpose", [net.quantised(net.given("picture", [*size, channels]))], perm=[0, 3, 1, 2])
    else:
        value = net.quantised(net.given("picture", [channels, *size]))
    value = net.activation(net.conv(value, int(net.rng.integers(2, 20))))
    for block in net.rng.choice(["residual", "depthwise", "join", "pool"], 2):
        value = BLOCKS[block](net, value)
    return net.add("Flatten", [average(net, value)])


def residual(net: ExactNetwork, value: str) -> str:
    """A sum of two scales."""
    branch = net.activation(net.conv(value, net.shape(value)[1], keep=True), 8)
    return net.activation(net.add("Add", [branch, value][:: int(net.rng.choice([1, -1]))]), 8)


def depthwise(net: ExactNetwork, value: str) -> str:
    channels = net.shape(value)[1]
    value = net.activation(net.conv(value, channels, groups=channels, keep=True))
    return net.activation(net.add("Conv", [value, net.weights([channels + 3, channels, 1, 1], 0, 4)]))


def join(net: ExactNetwork, value: str) -> str:
    ends = [net.quantised(net.conv(value, int(net.rng.integers(1, 5)), keep=True), 8, True, -4) for _ in range(2)]
    return net.activation(net.add("Concat", ends, axis=1))


def pool(net: ExactNetwork, value: str) -> str:
    if min(net.shape(value)[2:]) < 2:
        return value
    return net.add("MaxPool", [value], kernel_shape=[2, 2], strides=[2, 2])


def average(net: ExactNetwork, value: str) -> str:
    """Of four values, which a float divides exactly."""
    if min(net.shape(value)[2:]) < 2:
        return value
    return net.activation(net.add("AveragePool", [value], kernel_shape=[2, 2], strides=[2, 2]), 8)


BLOCKS = {"residual": residual, "depthwise": depthwise, "join": join, "pool": pool}


def row(net: ExactNetwork) -> str:
    """A few numbers, and perhaps a second input beside them."""
    value = net.quantised(net.given("numbers", [int(net.rng.integers(2, 40))]))
    if net.rng.integers(0, 2):
        other = net.quantised(net.given("others", [int(net.rng.integers(1, 5))]))
        value = net.activation(net.add("Concat", [value, other], axis=1), 8)
    return net.activation(net.dense(value, int(net.rng.integers(2, 40))))


def network(seed: int) -> tuple[onnx.ModelProto, dict[str, np.ndarray]]:
    """(the file, inputs and answers by name) of one seed: QDQ of even ones, QONNX of odd ones."""
    net = ExactNetwork(seed)
    value = (image if net.rng.integers(0, 3) else row)(net)
    for _ in range(int(net.rng.integers(0, 3))):
        value = net.activation(net.dense(value, int(net.rng.integers(2, 24))))
    answer = net.dense(value, int(net.rng.integers(2, 11)))
    answer = net.activation(answer, 8) if net.rng.integers(0, 2) else answer
    return net.model([answer]), {**net.inputs, answer: net.run([answer])[0]}


def execute(model: onnx.ModelProto, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
    """By onnxruntime, or by qonnx what it does not know."""
    if all(not node.domain for node in model.graph.node):
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        return session.run(None, inputs)
    from qonnx.custom_op.registry import getCustomOp

    values = {**inputs, **{i.name: numpy_helper.to_array(i) for i in model.graph.initializer}}
    for node in model.graph.node:  # node by node, as qonnx itself does, but for its checks of shapes
        if node.domain:
            getCustomOp(node).execute_node(values, None)
        else:
            values[node.output[0]] = _one(node, values)
    return [values[output.name] for output in model.graph.output]


def _one(node: onnx.NodeProto, values: dict[str, np.ndarray]) -> np.ndarray:
    names = list(dict.fromkeys(node.input))
    ends = [helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(np.asarray(values[n]).dtype), None) for n in names]
    graph = helper.make_graph([node], "node", ends, [helper.make_tensor_value_info(node.output[0], TensorProto.FLOAT, None)])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    return execute(model, {name: np.asarray(values[name]) for name in names})[0]


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    for seed in map(int, sys.argv[2:]):
        model, vectors = network(seed)
        (folder / f"{seed}.onnx").write_bytes(model.SerializeToString())
        np.savez(folder / f"{seed}.npz", **{name.replace("/", "|"): value for name, value in vectors.items()})
