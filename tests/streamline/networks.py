"""Random QCDQ parts as the stage before writes them: dense and convolutional, with every awkward batch norm."""

import numpy as np
from hypothesis import strategies as st
from onnx import TensorProto, checker, helper, numpy_helper


class Part:
    """A QCDQ graph under construction; `value` is the real tensor at its end, `shape` its shape."""

    def __init__(self, shape, seed, low=-127, high=127):
        self.rng = np.random.Generator(np.random.PCG64(seed))
        self.nodes, self.constants, self.shape, self.count = [], {}, list(shape), 0
        self.entry = {"shape": [1, *shape[1:]], "range": [low, high]}
        self.value = self.dequantise("x", np.int8, 0.5)

    def name(self, text):
        self.count += 1
        return f"t{self.count}.{text}"

    def add(self, op, inputs, output=None, **attributes):
        output = output or self.name(op.lower())
        self.nodes.append(helper.make_node(op, inputs, [output], **attributes))
        return output

    def constant(self, value):
        name = self.name("constant")
        self.constants[name] = np.asarray(value)
        return name

    def dequantise(self, ints, kind, scale):
        return self.add("DequantizeLinear", [ints, self.constant(np.float32(scale)), self.constant(kind(0))])

    def weight(self, shape, bits):
        top = 2 ** (bits - 1) - 1
        return self.dequantise(
            self.constant(self.rng.integers(-top, top + 1, shape).astype(np.int8)), np.int8, self.rng.uniform(0.01, 0.1)
        )

    def dense(self, width, bits):
        self.value = self.add("MatMul", [self.value, self.weight((self.shape[-1], width), bits)])
        self.shape[-1] = width

    def conv(self, channels, kernel, stride, pads, bits):
        weight = self.weight((channels, self.shape[1], kernel), bits)
        self.value = self.add(
            "Conv", [self.value, weight], strides=[stride], pads=pads, kernel_shape=[kernel], dilations=[1], group=1
        )
        self.shape[1:] = [channels, (self.shape[2] + sum(pads) - kernel) // stride + 1]

    def norm(self):
        """Batch norm over channels with falling (gamma < 0) and constant (gamma = 0) ones."""
        size = self.shape[1]
        gamma = self.rng.choice([-1.0, 0.0, 1.0, 1.0], size) * self.rng.uniform(0.2, 2, size)
        parts = gamma, self.rng.normal(0, 2, size), self.rng.normal(0, 5, size), self.rng.uniform(0.5, 400, size)
        self.value = self.add("BatchNormalization", [self.value, *(self.constant(p.astype(np.float32)) for p in parts)])

    def quantise(self, bits, signed, output=None):
        low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
        if not signed:
            self.value = self.add("Relu", [self.value])
        kind, scale = (np.int8 if signed else np.uint8), self.rng.uniform(0.02, 0.5) * 2.0 ** (8 - bits)
        output = output or self.name("quantised")
        whole = bits == 8
        rounded = output if whole else f"{output}.unclipped"
        self.add("QuantizeLinear", [self.value, self.constant(np.float32(scale)), self.constant(kind(0))], rounded)
        if not whole:
            self.add("Clip", [rounded, self.constant(kind(low)), self.constant(kind(high))], output)
        return output, kind, scale

    def activate(self, bits, signed):
        self.value = self.dequantise(*self.quantise(bits, signed))

    def finish(self, ends_quantised):
        """(model, its entry of interface.json)."""
        kind = TensorProto.INT8 if ends_quantised else TensorProto.FLOAT
        if ends_quantised:
            self.quantise(6, True, "y")
        else:
            self.add("Identity", [self.value], "y")
        x = helper.make_tensor_value_info("x", TensorProto.INT8, self.entry["shape"])
        y = helper.make_tensor_value_info("y", kind, [1, *self.shape[1:]])
        kept = [numpy_helper.from_array(value, name) for name, value in self.constants.items()]
        model = helper.make_model(
            helper.make_graph(self.nodes, "part", [x], [y], kept),
            opset_imports=[helper.make_opsetid("", 13)],
            ir_version=8,
        )
        checker.check_model(model)
        return model, {"inputs": {"x": self.entry}, "outputs": {"y": {"shape": [1, *self.shape[1:]]}}}


widths = st.integers(2, 8)


@st.composite
def dense_parts(draw):
    part = Part((1, draw(st.integers(1, 6))), draw(st.integers(0, 10**6)))
    for _ in range(draw(st.integers(1, 3))):
        part.dense(draw(st.integers(1, 6)), draw(widths))
        if draw(st.booleans()):
            part.norm()
        part.activate(draw(widths), draw(st.booleans()))
    part.dense(draw(st.integers(1, 4)), draw(widths))
    return part.finish(ends_quantised=draw(st.booleans()))


@st.composite
def convolutional_parts(draw):
    part = Part((1, draw(st.integers(1, 3)), draw(st.integers(6, 12))), draw(st.integers(0, 10**6)))
    pads = [draw(st.integers(0, 3)), draw(st.integers(0, 1))]
    part.conv(draw(st.integers(1, 5)), draw(st.integers(1, 4)), draw(st.integers(1, 2)), pads, draw(widths))
    part.norm()
    part.activate(draw(widths), draw(st.booleans()))
    part.conv(draw(st.integers(1, 5)), draw(st.integers(1, 2)), 1, [0, 0], draw(widths))
    part.norm()
    if draw(st.booleans()) and part.shape[2] >= 2:
        part.value = part.add("MaxPool", [part.value], kernel_shape=[2], strides=[2])
        part.shape[2] //= 2
    part.value = part.add("Transpose", [part.value], perm=[0, 2, 1])
    part.shape[1:] = part.shape[:0:-1]
    return part.finish(ends_quantised=True)


@st.composite
def branched_parts(draw):
    """Two branches that meet in a sum or a join, one through a depthwise convolution; an average behind them."""
    part = Part((1, draw(st.integers(1, 3)), draw(st.integers(5, 9))), draw(st.integers(0, 10**6)))
    part.conv(draw(st.integers(1, 4)), 1, 1, [0, 0], draw(widths))
    part.norm()
    part.activate(draw(widths), draw(st.booleans()))
    kept, channels = part.value, part.shape[1]
    part.value = part.add(
        "Conv", [part.value, part.weight((channels, 1, 3), draw(widths))], pads=[1, 1], kernel_shape=[3], group=channels
    )
    part.norm()
    part.activate(draw(widths), True)
    join = draw(st.sampled_from(["Add", "Concat"]))
    part.value = part.add(join, [part.value, kept], **({"axis": 1} if join == "Concat" else {}))
    part.shape[1] *= 1 + (join == "Concat")
    part.activate(draw(widths), draw(st.booleans()))
    part.value = part.add("AveragePool", [part.value], kernel_shape=[2], strides=[2])
    part.shape[2] //= 2
    return part.finish(ends_quantised=True)
