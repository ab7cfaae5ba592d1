"""Hand-made QCDQ graphs as exporters write them; the integer reference is their oracle."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

_TYPES = {"int8": TensorProto.INT8, "uint8": TensorProto.UINT8, "int16": TensorProto.INT16}


class Quantised:
    """A graph under construction whose tensors are known by the name of their dequantised value."""

    def __init__(self, seed: int = 0) -> None:
        self.random = np.random.default_rng(seed)
        self.nodes, self.constants, self.inputs = [], {}, {}

    def constant(self, values, dtype=np.float32) -> str:
        name = f"c{len(self.constants)}"
        self.constants[name] = np.asarray(values, dtype=dtype)
        return name

    def node(self, operator: str, *inputs: str, **attributes) -> str:
        name = f"{operator}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [f"{name}_out"], name=name, **attributes))
        return f"{name}_out"

    def input(self, name: str, shape: tuple[int, ...], scale: float = 0.05, zero: int = 0, dtype: str = "int8") -> str:
        self.inputs[name] = shape, dtype
        return self.dequantise(name, scale, zero, dtype)

    def dequantise(self, x: str, scale, zero: int = 0, dtype="int8", **attributes) -> str:
        zeros = np.full(np.shape(scale), zero)
        return self.node("DequantizeLinear", x, self.constant(scale), self.constant(zeros, dtype), **attributes)

    def quantise(
        self,
        x: str,
        scale: float,
        zero: int = 0,
        dtype: str = "int8",
        clip: tuple[int, int] | None = None,
        name: str = "",
    ) -> str:
        """The dequantised value of `x` on a grid of `scale`; `name`: what the integers are called."""
        q = self.node("QuantizeLinear", x, self.constant(scale), self.constant(zero, dtype))
        if name:
            self.nodes[-1].output[0] = q = name
        if clip:
            q = self.node("Clip", q, self.constant(clip[0], dtype), self.constant(clip[1], dtype))
        return self.dequantise(q, scale, zero, dtype)

    def weights(self, shape: tuple[int, ...], bits: int = 8, per_channel: bool = True) -> tuple[str, np.ndarray]:
        low, high = -(2 ** (bits - 1)), 2 ** (bits - 1)
        ints = self.random.integers(low, high, shape)
        if bits == 1:
            ints = self.random.choice([-1, 1], shape)
        scale = self.random.uniform(0.002, 0.02, shape[0]) if per_channel else self.random.uniform(0.002, 0.02)
        name = self.constant(ints, np.int8)
        return self.dequantise(name, scale, **({"axis": 0} if per_channel else {})), np.asarray(scale, np.float32)

    def conv(
        self, x: str, shape: tuple[int, ...], x_scale: float, bits: int = 8, bias: bool = True, **attributes
    ) -> str:
        w, scale = self.weights(shape, bits)
        operands = [x, w]
        if bias:
            ints = self.constant(self.random.integers(-2000, 2000, shape[0]), np.int32)
            operands.append(self.node("DequantizeLinear", ints, self.constant(np.float32(x_scale) * scale), axis=0))
        return self.node("Conv", *operands, **attributes)

    def norm(self, x: str, channels: int) -> str:
        """A batch norm with rising, falling and constant channels."""
        gamma = self.random.choice([-1.5, -0.7, 0.0, 0.6, 1.3], channels)
        rest = [
            self.random.normal(0, 0.5, channels),
            self.random.normal(0, 0.5, channels),
            self.random.uniform(0.2, 2, channels),
        ]
        return self.node("BatchNormalization", x, self.constant(gamma), *(self.constant(r) for r in rest), epsilon=1e-5)

    def model(self, *outputs: str) -> onnx.ModelProto:
        inputs = [helper.make_tensor_value_info(n, _TYPES[d], s) for n, (s, d) in self.inputs.items()]
        values = [helper.make_tensor_value_info(n, TensorProto.UNDEFINED, None) for n in outputs]
        constants = [numpy_helper.from_array(v, n) for n, v in self.constants.items()]
        return helper.make_model(helper.make_graph(self.nodes, "g", inputs, values, constants))


def reference(model: onnx.ModelProto, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Integers of every output by the product's integer reference."""
    from microstage.integer import Interpreter

    types = {
        i.name: np.int8 if i.type.tensor_type.elem_type == TensorProto.INT8 else np.uint8 for i in model.graph.input
    }
    found = Interpreter(model).run({n: v.astype(types[n]) for n, v in inputs.items()})
    return {n: np.asarray(getattr(v, "ints", v)).astype(np.int64) for n, v in found.items()}
