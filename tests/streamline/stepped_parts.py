"""Parts of a network that carries wide integers from step to step, as the stage before writes them: an estimate beside a
CNN, and heads that keep a running sum or start it anew. Widths, bits and sizes are the caller's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from onnx import TensorProto, checker, helper, numpy_helper

QONNX = "qonnx.custom_op.general"


@dataclass(frozen=True)
class Sizes:
    """`samples` of a window of `window_bits`; `phases` of each of the harmonics; widths of CNN, LSTM and heads."""

    samples: int = 32
    window_bits: int = 12
    bits: int = 10
    step: float = 2.0**-9
    phases: tuple[int, ...] = (9, 5, 5, 5)
    channels: int = 4
    features: int = 5
    hidden: int = 6
    width: int = 4
    most: int = 64
    seed: int = 0

    @property
    def harmonics(self) -> int:
        return len(self.phases)

    @property
    def top(self) -> int:
        """The largest estimate."""
        return max(self.phases) * (2**self.bits - 1)


class Builder:
    """Nodes and constants of a QCDQ graph under construction."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.Generator(np.random.PCG64(seed))
        self.nodes, self.constants, self.inputs, self.outputs = [], {}, {}, {}

    def add(self, op, inputs, output=None, **attributes):
        output = output or f"t{len(self.nodes)}.{op.lower()}"
        self.nodes.append(helper.make_node(op, inputs, [output], **attributes))
        return output

    def constant(self, value, name=None):
        name = name or f"c{len(self.constants)}"
        self.constants[name] = np.asarray(value)
        return name

    def taken(self, name, kind, shape, ends, scale):
        """A graph input of integers; its real value."""
        self.inputs[name] = {"kind": kind, "shape": [1, *shape], "range": list(ends), "scale": scale}
        zero = [self.constant(np.zeros((), helper.tensor_dtype_to_np_dtype(kind)))] if kind != TensorProto.INT32 else []
        return self.add("DequantizeLinear", [name, self.constant(np.float32(scale)), *zero], f"{name}.real")

    def given(self, name, kind, shape):
        self.outputs[name] = {"kind": kind, "shape": [1, *shape]}

    def weight(self, shape, bits=8):
        top = 2 ** (bits - 1) - 1
        return self.stored(self.rng.integers(-top, top + 1, shape), np.float32(self.rng.uniform(0.002, 0.02)))

    def stored(self, integers, scale):
        """Integers of 8 bits at a scale."""
        ints = self.constant(np.asarray(integers, np.int8))
        self.scale = np.float32(scale)
        return self.add("DequantizeLinear", [ints, self.constant(self.scale), self.constant(np.int8(0))])

    def norm(self, x, size):
        """Batch norm with falling (gamma < 0) and constant (gamma = 0) channels."""
        gamma = self.rng.choice([-1.0, 0.0, 1.0, 1.0], size) * self.rng.uniform(0.2, 2, size)
        parts = gamma, self.rng.normal(0, 0.2, size), self.rng.normal(0, 0.2, size), self.rng.uniform(0.5, 4, size)
        return self.add("BatchNormalization", [x, *(self.constant(part.astype(np.float32)) for part in parts)])

    def relu(self, x, scale):
        """ReLU and a quantiser of 8 bits."""
        name = f"act{len(self.nodes)}"
        scale, zero = self.constant(np.float32(scale)), self.constant(np.uint8(0))
        self.add("QuantizeLinear", [self.add("Relu", [x]), scale, zero], name)
        return self.add("DequantizeLinear", [name, scale, zero])

    def quant(self, x, scale, bits, output=None):
        """An unsigned quantiser of any width."""
        others = [self.constant(np.float32(value)) for value in (scale, 0, bits)]
        flags = {"signed": 0, "narrow": 0, "rounding_mode": "ROUND", "domain": QONNX}
        return self.add("Quant", [x, *others], output, **flags)

    def finish(self, name):
        """(model, its entry of interface.json)."""
        graph = helper.make_graph(
            self.nodes, name,
            [helper.make_tensor_value_info(n, v["kind"], ["B", *v["shape"][1:]]) for n, v in self.inputs.items()],
            [helper.make_tensor_value_info(n, v["kind"], ["B", *v["shape"][1:]]) for n, v in self.outputs.items()],
            [numpy_helper.from_array(value, key) for key, value in self.constants.items()],
        )
        opsets = [helper.make_opsetid("", 13), helper.make_opsetid(QONNX, 1)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
        checker.check_model(model)
        said = {n: {"shape": v["shape"], "range": v["range"], "scale": v["scale"], "zero_point": 0} for n, v in self.inputs.items()}
        return model, {"inputs": said, "outputs": {n: {"shape": v["shape"], "zero_point": 0} for n, v in self.outputs.items()}}


def encoder(s: Sizes):
    """window, estimate_1 -> features, estimate."""
    b, top = Builder(s.seed), 2 ** (s.window_bits - 1) - 1
    window = b.taken("window", TensorProto.INT16, [1, s.samples], (-top, top), 2.0 ** (1 - s.window_bits))
    before = b.taken("estimate_1", TensorProto.INT32, [s.harmonics], (0, s.top), s.step)
    difference = b.add("Sub", [_estimate(b, s, window), before])
    factors = b.constant(np.float32(b.rng.uniform(2, 80, s.harmonics)))
    difference = b.add("Unsqueeze", [b.add("Mul", [difference, factors]), b.constant(np.int64([2]))])
    joined = b.add("Concat", [_cnn(b, s, window), difference], axis=1)
    turned = b.add("Transpose", [joined], perm=[0, 2, 1])
    b.add("QuantizeLinear", [turned, b.constant(np.float32(1 / 128), "features.scale"), b.constant(np.int8(0))], "features")
    b.given("features", TensorProto.INT8, [1, s.features + s.harmonics])
    b.given("estimate", TensorProto.FLOAT, [s.harmonics])
    return b.finish("subcnn")


def _estimate(b: Builder, s: Sizes, window: str) -> str:
    """Sums of rectified projections, which are the amplitudes of the harmonics."""
    rows = [(2 * h + 1, h, (k + 0.5) / n) for h, n in enumerate(s.phases) for k in range(n)]
    kernels = [np.cos(np.pi * (order * (np.arange(s.samples) / 32) + phase)) for order, _, phase in rows]
    weight = b.stored(np.rint(127 * np.array(kernels))[:, None], 2.0**-7 / s.samples)
    sums = b.add("Conv", [window, weight], kernel_shape=[s.samples], strides=[1], pads=[0, 0], dilations=[1], group=1)
    levels = b.quant(b.add("Relu", [sums]), s.step, s.bits)
    flat = b.add("Flatten", [levels], axis=1)
    ones = b.stored([[int(of == h) for h in range(s.harmonics)] for _, of, _ in rows], 1.0)
    return b.add("MatMul", [flat, ones], "estimate")


def _cnn(b: Builder, s: Sizes, window: str) -> str:
    kernel, stride = min(8, s.samples), 4
    x = b.add("Conv", [window, b.weight((s.channels, 1, kernel))], kernel_shape=[kernel], strides=[stride], pads=[0, 0])
    x = b.relu(b.norm(x, s.channels), 0.01)
    left = (s.samples - kernel) // stride + 1
    x = b.add("Conv", [x, b.weight((s.features, s.channels, left))], kernel_shape=[left])
    return b.norm(x, s.features)


def head(s: Sizes):
    """hidden, estimate, sum, count -> correction, sum_next, count_next."""
    b = Builder(s.seed + 1)
    hidden = b.taken("hidden", TensorProto.INT8, [s.hidden], (-128, 127), 1 / 128)
    estimate = b.taken("estimate", TensorProto.INT32, [s.harmonics], (0, s.top), s.step)
    total = b.taken("sum", TensorProto.INT32, [s.harmonics], (0, s.most * s.top), s.step)
    count = b.taken("count", TensorProto.INT32, [s.harmonics], (0, s.most), 1.0)
    corrections, keeps = zip(*(_head(b, s, hidden) for _ in range(s.harmonics)))
    b.add("Concat", corrections, "correction", axis=1)
    keep = b.quant(b.add("Concat", keeps, axis=1), 1.0, 1, "keep")
    b.add("Add", [b.add("Mul", [keep, total]), estimate], "sum_next")
    b.add("Add", [b.add("Mul", [keep, count]), b.constant(np.float32(1))], "count_next")
    for name in ("correction", "sum_next", "count_next"):
        b.given(name, TensorProto.FLOAT, [s.harmonics])
    return b.finish("submlp")


def _head(b: Builder, s: Sizes, hidden: str) -> tuple[str, str]:
    """(correction, whether to keep the sum), each a sum at a scale of its own."""
    scale = np.float32(b.rng.uniform(0.001, 0.01))
    x = b.relu(b.norm(b.add("MatMul", [hidden, b.weight((s.hidden, s.width))]), s.width), scale)
    return tuple(_answer(b, s, x, scale) for _ in range(2))


def _answer(b: Builder, s: Sizes, x: str, scale: np.float32) -> str:
    weight = b.weight((1, s.width))
    bias, step = b.constant(b.rng.integers(-5000, 5000, 1).astype(np.int32)), b.constant(scale * b.scale)
    return b.add("Gemm", [x, weight, b.add("DequantizeLinear", [bias, step])], transB=1)
