"""Random binary and ternary networks as the stage before writes them: grey levels in, the class out."""

import numpy as np
from hypothesis import strategies as st
from networks import Part
from onnx import TensorProto, checker, helper, numpy_helper

QONNX = "qonnx.custom_op.general"


class BinaryPart(Part):
    """`shape` [1, C, H, W] or [1, K]; `bits` of the integers at its end: 1 is -1 or 1, 2 is -1, 0 or 1."""

    def __init__(self, shape, seed):
        super().__init__(shape, seed, 0, 255)
        self.nodes, self.products = [], []
        self.value = self.dequantise("x", np.uint8, 1.0)
        for op, number in (("Div", 255), ("Mul", 2), ("Sub", 1)):
            self.value = self.add(op, [self.value, self.constant(np.float32(number))])

    def activate(self, bits):
        if bits == 1:
            sign = self.add("BipolarQuant", [self.value, self.constant(np.float32(1))], domain=QONNX)
            self.value = self.dequantise(self.add("Cast", [sign], to=TensorProto.INT8), np.int8, 1.0)
        else:
            rounded = self.add("QuantizeLinear", [self.value, self.constant(np.float32(1)), self.constant(np.int8(0))])
            clipped = self.add("Clip", [rounded, self.constant(np.int8(-1)), self.constant(np.int8(1))])
            self.value = self.dequantise(clipped, np.int8, 1.0)
        self.bits = bits

    def weight(self, shape, bits):
        levels = (-1, 1) if bits == 1 else (-1, 0, 1)
        self.products.append("XnorPopcountMatMul" if (bits, self.bits) == (1, 1) else "MatMul")
        return self.dequantise(self.constant(self.rng.choice(levels, shape).astype(np.int8)), np.int8, 1.0)

    def conv(self, channels, kernel, bits):
        weight = self.weight((channels, self.shape[1], kernel, kernel), bits)
        flags = {"strides": [1, 1], "pads": [0] * 4, "kernel_shape": [kernel] * 2, "dilations": [1, 1], "group": 1}
        self.value = self.add("Conv", [self.value, weight], **flags)
        self.shape = [1, channels, *(size - kernel + 1 for size in self.shape[2:])]

    def norm(self):
        """Falling channels, and boundaries that integers hit exactly."""
        size = self.shape[1]
        gamma = self.rng.choice([-1.0, 1.0, 1.0], size) * self.rng.uniform(0.2, 2, size)
        parts = gamma, self.rng.choice([0.0, 0.5], size), self.rng.integers(-3, 4, size), self.rng.uniform(0.5, 9, size)
        self.value = self.add("BatchNormalization", [self.value, *(self.constant(p.astype(np.float32)) for p in parts)])

    def pool(self):
        self.value = self.add("MaxPool", [self.value], kernel_shape=[2, 2], strides=[2, 2])
        self.shape = [*self.shape[:2], *(size // 2 for size in self.shape[2:])]

    def flatten(self):
        self.value = self.add("Flatten", [self.value])
        self.shape = [1, int(np.prod(self.shape[1:]))]

    def answer(self, classes, gamma):
        """(model, its entry of interface.json): the norm of all scores together, and the place of the largest."""
        for op, number in (("Sub", 0.7), ("Div", 3.1), ("Mul", gamma), ("Add", -0.2)):
            self.value = self.add(op, [self.value, self.constant(np.float32(number).reshape(1))])
        self.nodes.append(helper.make_node("TopK", [self.value, self.constant(np.int64([1]))], ["values", "y"], axis=1))
        x = helper.make_tensor_value_info("x", TensorProto.UINT8, self.entry["shape"])
        y = helper.make_tensor_value_info("y", TensorProto.INT64, [1, 1])
        kept = [numpy_helper.from_array(value, name) for name, value in self.constants.items()]
        imports = [helper.make_opsetid("", 13), helper.make_opsetid(QONNX, 1)]
        model = helper.make_model(
            helper.make_graph(self.nodes, "part", [x], [y], kept), opset_imports=imports, ir_version=8
        )
        checker.check_model(model)
        return model, {"inputs": {"x": self.entry}, "outputs": {"y": {"shape": [1, 1]}}}


widths = st.sampled_from([1, 2])


@st.composite
def binary_parts(draw):
    """(model, interface, operators of its products in order)."""
    convolutional = draw(st.booleans())
    shape = (
        (1, draw(st.integers(1, 3)), draw(st.integers(6, 9)), draw(st.integers(6, 9)))
        if convolutional
        else (1, draw(st.integers(1, 40)))
    )
    part = BinaryPart(shape, draw(st.integers(0, 10**6)))
    part.activate(draw(widths))
    for _ in range(draw(st.integers(1, 2)) if convolutional else 0):
        part.conv(draw(st.integers(1, 5)), draw(st.integers(1, min(3, *part.shape[2:]))), draw(widths))
        part.norm()
        part.activate(draw(widths))
        if draw(st.booleans()) and min(part.shape[2:]) >= 2:
            part.pool()
    if convolutional:
        part.flatten()
    for _ in range(draw(st.integers(0, 2))):
        part.dense(draw(st.integers(1, 6)), draw(widths))
        part.norm()
        part.activate(draw(widths))
    part.dense(4, draw(widths))
    return *part.answer(4, draw(st.sampled_from([1.5, -1.5]))), part.products
