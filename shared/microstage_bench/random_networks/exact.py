"""A quantised network in the making, with the values that an independent executor gives each of its tensors.

Where it is `exact`, every scale is a power of two and every sum is small, so that float32 makes no rounding but the
quantisers' own: onnxruntime (graph optimisations off) or qonnx give THE answer, and whoever differs from it by one
level is wrong. Else scales are any.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from microstage_bench.random_networks.draws import Draws
from microstage_bench.random_networks.executor import execute_node
from microstage_bench.random_networks.names import STYLES

__all__ = ["VECTORS", "ExactNetwork"]

VECTORS = 12
_FUNCTIONS = {
    "LeakyRelu": lambda net, value: net.add("LeakyRelu", [value], alpha=0.125),
    "HardSigmoid": lambda net, value: net.add("HardSigmoid", [value], alpha=0.25, beta=0.5),
    "Neg": lambda net, value: net.add("Neg", [value]),
    "Clip": lambda net, value: net.add(
        "Clip", [value, *(net.constant(end * 2.0 ** net.peak(value)) for end in (-0.25, 0.75))]
    ),
    "Min": lambda net, value: net.add("Min", [value, net.constant(2.0 ** (net.peak(value) - 1))]),
    "Sub": lambda net, value: net.add("Sub", [net.constant(2.0 ** (net.peak(value) - 1)), value]),
    "Abs": lambda net, value: net.add("Abs", [net.quantised(value)]),  # it turns round: a table, of few values
}
"Functions of each number, exact where the network is: those that floats compute without rounding."
QONNX = "qonnx.custom_op.general"


class ExactNetwork:
    """A graph of QDQ or of QONNX nodes, with activations of up to `width` bits; `rng` draws for the block at work,
    `values` are its tensors on the inputs.
    """

    def __init__(self, rng: Draws, qonnx: bool, exact: bool = True, opset: int = 13, width: int = 8) -> None:
        self.rng, self.qonnx, self.exact, self.width = rng, qonnx, exact, width
        self.opset = 13 if qonnx else opset if width <= 8 else 21
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, np.ndarray] = {}
        self.inputs: dict[str, np.ndarray] = {}
        self.values: dict[str, np.ndarray] = {}
        self.count = 0

    def add(self, operator: str, inputs: list[str], **flags: Any) -> str:
        """Add a node and return its output."""
        return self._node("", operator, inputs, 1, flags)[0]

    def split(self, value: str, sizes: list[int], axis: int) -> list[str]:
        """Cut a tensor into parts of `sizes` along `axis`, and return these."""
        return self._node("", "Split", [value, self.constant(sizes, np.int64)], len(sizes), {"axis": axis})

    def _node(self, domain: str, operator: str, inputs: list[str], outputs: int, flags: Mapping[str, Any]) -> list[str]:
        self.count += 1
        names = [f"{operator}|{self.count}|{place}" for place in range(outputs)]
        node = helper.make_node(operator, inputs, names, name=names[0], domain=domain, **flags)
        self.values.update(execute_node(node, self.values, self.opset))
        self.nodes.append(node)
        return names

    def _quant(self, inputs: list[str], signed: int, narrow: int) -> str:
        """Add a QONNX Quant node and return its output."""
        flags = {"signed": signed, "narrow": narrow, "rounding_mode": "ROUND"}
        return self._node(QONNX, "Quant", inputs, 1, flags)[0]

    def constant(self, value, kind=np.float32) -> str:
        self.count += 1
        name = f"constant|{self.count}|0"
        self.constants[name] = self.values[name] = np.asarray(value, kind)
        return name

    def given(self, shape: list[int]) -> str:
        """Add a real input, of values up to 4."""
        self.count += 1
        name = f"input|{self.count}|0"
        self.inputs[name] = self.values[name] = (self.rng.integers(-1024, 1025, (VECTORS, *shape)) / 256).astype(
            np.float32
        )
        return name

    def shape(self, value: str) -> list[int]:
        return list(self.values[value].shape)

    def rests(self, value: str) -> bool:
        """Return whether most inputs give one and the same tensor."""
        return len(np.unique(self.values[value].reshape(VECTORS, -1), axis=0)) < VECTORS // 2

    def peak(self, value: str) -> int:
        """Return the least power of two, as its exponent, that no value exceeds; 0 where all are zero."""
        largest = float(np.abs(self.values[value]).max())
        return int(np.ceil(np.log2(largest))) if largest else 0

    def scale(self, exponent: int, each: tuple[int, ...] = ()) -> np.ndarray:
        """Draw a scale of about 2^exponent, or as much as a fourth of it; that power of two itself where the network is
        exact.
        """
        power = (
            2.0 ** (exponent - self.rng.integers(0, 3, each)) if each else 2.0 ** (exponent - self.rng.integers(0, 2))
        )
        return np.float32(power if self.exact else power * (1 + self.rng.random(each)))

    def quantised(self, value: str, bits: int | None = None, signed: bool = True, shift: int | None = None) -> str:
        """Round to `bits`, as many as the network has, at a scale that uses the range, or at 2^shift exactly."""
        bits = bits or self.width
        scale = self.scale(self.peak(value) - bits + int(signed)) if shift is None else np.float32(2.0**shift)
        if self.qonnx:
            narrow = int(self.rng.integers(0, 2))
            return self._quant([value, *map(self.constant, (scale, 0, bits))], int(signed), narrow)
        kind = self.rng.choice([np.int8, np.uint8] if bits <= 8 else [np.int16, np.uint16])
        ends = np.iinfo(kind)
        zero = self._zero_point(ends, signed)
        parameters = [self.constant(scale), self.constant(zero, kind)]
        stored = self.add("QuantizeLinear", [value, *parameters])
        if bits < 8:  # onnxruntime clips no 16 bits
            low, high = (zero - 2 ** (bits - 1), zero + 2 ** (bits - 1) - 1) if signed else (zero, zero + 2**bits - 1)
            stored = self.add(
                "Clip", [stored, *(self.constant(np.clip(end, ends.min, ends.max), kind) for end in (low, high))]
            )
        return self.add("DequantizeLinear", [stored, *parameters])

    def _zero_point(self, ends: np.iinfo, signed: bool) -> int:
        """Draw a zero point: in the middle or at the end, mostly; now and then anywhere."""
        usual = (ends.min + ends.max + 1) // 2 if signed else ends.min
        anywhere = ends.min + self.rng.integers(0, 2**ends.bits)
        return self.rng.choice(
            [usual, usual, usual, int(np.clip(usual + self.rng.integers(0, 41) - 20, ends.min, ends.max)), anywhere]
        )

    def weights(self, shape: list[int], axis: int, bits: int) -> str:
        """Draw integers at one scale, or at one of each output channel; some channels are zero, and so dead."""
        ints = self.rng.integers(-(2 ** (bits - 1)) + 1, 2 ** (bits - 1), shape)
        each = tuple(shape[axis] if place == axis else 1 for place in range(len(shape)))
        if self.rng.integers(0, 2):
            ints = ints * (self.rng.random(each) > 0.2)
        depth = ints.size // shape[axis]
        exponent = 3 - bits - int(np.log2(depth) / 2)  # sums about as large as what goes in
        scale = self.scale(exponent, each if self.rng.integers(0, 2) else (1,) * len(shape))
        if self.qonnx:
            parameters = [self.constant(scale), self.constant(0), self.constant(bits)]
            return self._quant([self.constant(ints * scale), *parameters], 1, 0)
        flat = scale.reshape(-1)
        scales, zeros = (flat, np.zeros(flat.shape)) if flat.size > 1 else (flat[0], 0)
        kind = _int4() if bits <= 4 and self.opset >= 21 and self.rng.integers(0, 2) else np.int8
        stored = [self.constant(ints, kind), self.constant(scales), self.constant(zeros, kind)]
        return self.add("DequantizeLinear", stored, axis=axis)

    def bias(self, about: str, axis: int = 1) -> str:
        """Draw a constant for each channel of tensor `about`, such that its values lie on both sides of zero, as in a
        trained network.
        """
        values = self.values[about].astype(np.float64)
        others = tuple(place for place in range(values.ndim) if place != axis)
        each = self.rng.random(values.shape[axis]) - 0.5
        step = 2.0 ** (self.peak(about) - 10)
        return self.constant(np.round((values.std(others) * each - values.mean(others)) / step) * step)

    def activation(self, value: str, bits: int | None = None) -> str:
        """Quantise `value`, behind a function or not."""
        bits = bits or self.rng.choice([self.width, self.width, self.width, 4, 3, 2])
        function = self.rng.integers(0, 12)
        if function < 6:
            return self.quantised(value, bits)
        if function < 10:
            return self.quantised(self.add("Relu", [value]), bits, False)
        name = self.rng.choice([*_FUNCTIONS])
        return self.quantised(_FUNCTIONS[name](self, value), bits, name not in ("Abs", "HardSigmoid"))

    def model(self, outputs: list[str], style: str = "exporter") -> onnx.ModelProto:
        """Return the file; its tensors are named in a style of `names`."""
        ends = [
            helper.make_tensor_value_info(n, TensorProto.FLOAT, ["n", *v.shape[1:]]) for n, v in self.inputs.items()
        ]
        answers = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["n", *self.shape(n)[1:]]) for n in outputs]
        used = {name for node in self.nodes for name in node.input}
        kept = [numpy_helper.from_array(value, name) for name, value in self.constants.items() if name in used]
        opsets = [helper.make_opsetid("", self.opset), helper.make_opsetid(QONNX, 1)][: 2 if self.qonnx else 1]
        graph = helper.make_graph(self.nodes, "exact", ends, answers, kept)
        model = helper.make_model(graph, opset_imports=opsets, ir_version=8 if self.opset < 19 else 10)
        return _renamed(onnx.ModelProto.FromString(model.SerializeToString()), style)


def _int4() -> type:
    """Return NumPy's type of ONNX' INT4; not every environment that knows recipes has it."""
    from ml_dtypes import int4

    return int4


def _renamed(model: onnx.ModelProto, style: str) -> onnx.ModelProto:
    graph, names = model.graph, {"": ""}
    for name in [v.name for v in (*graph.input, *graph.output)] + [
        n for node in graph.node for n in (*node.input, *node.output)
    ]:
        names.setdefault(name, STYLES[style](name.split("|")[0], len(names)))
    for node in graph.node:
        node.name = names[node.output[0]]
        for tensors in (node.input, node.output):
            tensors[:] = [names[name] for name in tensors]
    for value in (*graph.input, *graph.output, *graph.initializer):
        value.name = names[value.name]
    return model
