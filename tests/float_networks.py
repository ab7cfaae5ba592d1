"""Random float networks as exporters write them, and example inputs for each.

    python float_networks.py FOLDER SEED     write net.onnx and rows.npz

Run in streamline's environment.
"""

import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

__all__ = ["FloatNetwork", "dense", "mobile", "residual", "side_by_side", "tokens", "with_keras_layout"]


class FloatNetwork:
    """A graph in the making; `opset` below 11 has limits as attributes, and `as_nodes` keeps constants in nodes."""

    def __init__(self, shape: list[int], seed: int = 0, opset: int = 13, as_nodes: bool = False) -> None:
        self.rng, self.shape, self.opset, self.as_nodes = np.random.default_rng(seed), shape, opset, as_nodes
        self.nodes, self.constants = [], []

    def add(self, operator: str, *inputs: str, **flags) -> str:
        name = f"{operator.lower()}{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [name], name=f"/{name}", **flags))
        return name

    def constant(self, value, kind=np.float32) -> str:
        name = f"c{len(self.nodes) + len(self.constants)}"
        tensor = numpy_helper.from_array(np.asarray(value, kind), name)
        if self.as_nodes:
            self.nodes.append(helper.make_node("Constant", [], [name], value=tensor))
        else:
            self.constants.append(tensor)
        return name

    def weight(self, *shape: int) -> str:
        return self.constant(self.rng.normal(size=shape) * np.sqrt(2 / np.prod(shape[1:])))

    def conv(self, value: str, inputs: int, outputs: int, kernel: int = 3, group: int = 1, **flags) -> str:
        weight = self.weight(outputs, inputs // group, kernel, kernel)
        around = {} if "auto_pad" in flags else {"pads": [kernel // 2] * 4}
        return self.add("Conv", value, weight, group=group, kernel_shape=[kernel] * 2, **around, **flags)

    def norm(self, value: str, channels: int) -> str:
        ends = ((0.5, 1.5), (-0.3, 0.3), (-0.3, 0.3), (0.5, 2))
        stored = [self.constant(self.rng.uniform(*pair, channels)) for pair in ends]
        return self.add("BatchNormalization", value, *stored)

    def act(self, value: str) -> str:
        """Relu up to 6."""
        if self.opset < 11:
            return self.add("Clip", value, min=0.0, max=6.0)
        return self.add("Clip", value, self.constant(0), self.constant(6))

    def dense(self, value: str, inputs: int, outputs: int) -> str:
        bias = self.constant(self.rng.normal(size=outputs) * 0.1)
        return self.add("Gemm", value, self.weight(outputs, inputs), bias, transB=1)

    def pooled(self, value: str) -> str:
        return self.add("Flatten", self.add("GlobalAveragePool", value))

    def rows(self, count: int = 96) -> np.ndarray:
        return self.rng.normal(size=(count, *self.shape)).astype(np.float32)

    def model(self, *outputs: str, batch: int | str = "n") -> onnx.ModelProto:
        ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs]
        given = helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, *self.shape])
        graph = helper.make_graph(self.nodes, "float", [given], ends, self.constants)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=8)


def residual(seed: int = 0, **form):
    """Norms that are not folded, a sum, branches that are joined, a function that turns round."""
    net = FloatNetwork([3, 6, 6], seed, **form)
    first = net.add("Relu", net.norm(net.conv("x", 3, 4, strides=[2, 2]), 4))
    second = net.add("Relu", net.add("Add", net.norm(net.conv(first, 4, 4), 4), first))
    joined = net.add("Concat", net.add("Relu", net.conv(second, 4, 3)), net.conv(second, 4, 2, 1), axis=1)
    swish = net.add("Mul", joined, net.add("Sigmoid", joined))
    return net, net.dense(net.pooled(swish), 5, 5)


def mobile(seed: int = 0, **form):
    """Depthwise layers between pointwise ones, limits at 6, linear ends that are added."""
    net = FloatNetwork([3, 6, 6], seed, **form)
    first = net.act(net.norm(net.conv("x", 3, 4, strides=[2, 2]), 4))
    wide = net.act(net.norm(net.conv(first, 4, 8, 1), 8))
    deep = net.act(net.norm(net.conv(wide, 8, 8, group=8), 8))
    added = net.add("Add", net.norm(net.conv(deep, 8, 4, 1), 4), first)
    return net, net.dense(net.pooled(net.add("Dropout", net.add("Identity", added))), 4, 5)


def with_keras_layout(seed: int = 0, **form):
    """Channels last at the border and before dense layers, as tf2onnx writes it; SAME, a gain for each channel."""
    net = FloatNetwork([8, 8, 3], seed, **form)
    value = net.add("Transpose", "x", perm=[0, 3, 1, 2])
    value = net.act(net.conv(value, 3, 4, auto_pad="SAME_UPPER", strides=[2, 2]))
    value = net.add("Mul", value, net.constant(net.rng.uniform(0.5, 2, (4, 1, 1))))
    value = net.add("Transpose", net.add("MaxPool", value, kernel_shape=[2, 2], strides=[2, 2]), perm=[0, 2, 3, 1])
    value = net.add("Reshape", value, net.constant([-1, 16], np.int64))
    value = net.add("Add", net.add("MatMul", value, net.weight(16, 8)), net.constant(net.rng.normal(size=8)))
    return net, net.add("MatMul", net.add("Relu", value), net.weight(8, 5))


def dense(seed: int = 0, **form):
    """Two layers with another function each, the first with factors and a bias of one row."""
    net = FloatNetwork([6], seed, **form)
    bias = net.constant(net.rng.normal(size=(1, 12)))
    first = net.add("Gemm", "x", net.weight(6, 12), bias, alpha=0.5, beta=2.0)
    return net, net.dense(net.add("Tanh", net.dense(net.add("LeakyRelu", first), 12, 12)), 12, 4)


def tokens(seed: int = 0, **form):
    """A layer on every place of a sequence, as many as it has channels, with the places among the rows."""
    net = FloatNetwork([12, 6], seed, **form)
    value = net.add("Reshape", "x", net.constant([-1, 6], np.int64))
    value = net.add("Reshape", net.add("Relu", net.dense(value, 6, 12)), net.constant([-1, 12, 12], np.int64))
    return net, net.dense(net.add("ReduceMean", value, axes=[1], keepdims=0), 12, 4)


def side_by_side(seed: int):
    """Residual and depthwise layers of one input, whose answers are joined."""
    (net, first), (other, second) = residual(seed), mobile(seed)
    for node in other.nodes:
        node.name = f"other{node.name}"
        node.input[:] = [name if name == "x" else f"other.{name}" for name in node.input]
        node.output[:] = [f"other.{name}" for name in node.output]
    for tensor in other.constants:
        tensor.name = f"other.{tensor.name}"
    net.nodes += other.nodes
    net.constants += other.constants
    return net, net.add("Concat", first, f"other.{second}", axis=1)


if __name__ == "__main__":
    folder, net = Path(sys.argv[1]), side_by_side(int(sys.argv[2]))
    (folder / "net.onnx").write_bytes(net[0].model(net[1]).SerializeToString())
    np.savez(folder / "rows.npz", x=net[0].rows())
