"""Networks whose every input has another front: what stands between it and its first quantiser, drawn, and what
quantises it.

    python border_networks.py FOLDER NAME ...     write <name>.onnx and <name>.npz (input0, ... and answer0): of a seed,
                                                  or softmax

Every number is a small multiple of a power of two, so that no float rounds but a quantiser: whoever differs from
onnxruntime or qonnx by one level is wrong, at a tie too. Run in streamline's environment.
"""

import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from microstage_bench.random_networks.executor import execute_node

VECTORS, INPUTS, QONNX = 24, 8, "qonnx.custom_op.general"
MODES = ("ROUND", "HALF_EVEN", "ceil", "FLOOR", "up", "DOWN", "HALF_UP", "half_down")


class Fronts:
    """A graph in the making; `values` holds every tensor's values on `VECTORS` inputs."""

    def __init__(self, seed: int) -> None:
        self.in_pool = False
        self.rng, self.nodes, self.constants, self.inputs, self.values = np.random.default_rng(seed), [], {}, [], {}

    def add(self, operator: str, inputs: list[str], domain: str = "", outputs: int = 1, **flags):
        names = [f"{operator.lower()}{len(self.nodes)}_{place}" for place in range(outputs)]
        node = helper.make_node(operator, inputs, names, name=names[0], domain=domain, **flags)
        self.nodes.append(node)
        self.values.update(execute_node(node, self.values, 13))
        return names[0] if outputs == 1 else names

    def constant(self, value, kind=np.float32) -> str:
        name = f"c{len(self.constants)}"
        self.constants[name] = self.values[name] = np.asarray(value, kind)
        return name

    def given(self, shape: list[int]) -> str:
        name = f"x{len(self.inputs)}"
        self.inputs.append(name)
        self.values[name] = (self.rng.integers(-512, 513, (VECTORS, *shape)) / 128).astype(np.float32)
        return name

    def shape(self, value: str) -> list[int]:
        return list(self.values[value].shape[1:])

    def power(self, low: int, high: int, size=None) -> np.ndarray:
        return 2.0 ** self.rng.integers(low, high + 1, size)

    def along(self, value: str, draw) -> np.ndarray:
        """Numbers by `draw(size)`: one for all, one for each place of an axis, or one for each value; behind a pool,
        one for each channel."""
        shape = self.shape(value)
        kind = int(self.rng.integers(0, 2 if self.in_pool else len(shape) + 2))
        if kind == 0:
            return draw(None)
        if kind <= len(shape):
            return draw([1, *(n if axis == kind - 1 else 1 for axis, n in enumerate(shape))])
        return draw([1, *shape])

    # What moves values.

    def turned(self, value: str) -> str:
        order = [0, *(1 + self.rng.permutation(len(self.shape(value)))).tolist()]
        return self.add("Transpose", [value], perm=order)

    def reshaped(self, value: str) -> str:
        shape = self.shape(value)
        if self.rng.integers(0, 2):
            return self.add("Flatten", [value])
        return self.add(
            "Reshape", [value, self.constant([0, -1, *shape[2:]] if len(shape) > 1 else [0, shape[0], 1], np.int64)]
        )

    def squeezed(self, value: str) -> str:
        axis = self.constant([1], np.int64)
        return (
            self.add("Squeeze", [self.add("Unsqueeze", [value, axis]), axis])
            if self.rng.integers(0, 2)
            else self.add("Unsqueeze", [value, axis])
        )

    def cropped(self, value: str) -> str:
        size = self.shape(value)[0]
        stored = [self.constant([n], np.int64) for n in (size // 3, size, 1)]
        return self.add("Slice", [value, *stored])

    def pooled(self, value: str) -> str:
        shape = self.shape(value)
        return (
            self.add("MaxPool", [value], kernel_shape=[2, 2], strides=[1, 2])
            if len(shape) == 3 and min(shape[1:]) > 1
            else value
        )

    # Straight lines.

    def gained(self, value: str, signs=(-1, 1)) -> str:
        factor = self.constant(self.along(value, lambda size: self.power(-1, 1, size) * self.rng.choice(signs, size)))
        return (
            self.add("Div", [value, factor])
            if self.rng.integers(0, 2)
            else self.add("Mul", [value, factor][:: self.rng.choice([-1, 1])])
        )

    def raised(self, value: str) -> str:
        return self.gained(value, (1,))

    def shifted(self, value: str, kinds=3) -> str:
        offset = self.constant(self.along(value, lambda size: self.rng.integers(-64, 65, size) / 32))
        order = [[value, offset], [value, offset], [offset, value]][int(self.rng.integers(0, kinds))]
        return self.add("Add" if self.rng.integers(0, 2) and kinds == 3 else "Sub", order)

    def moved_up(self, value: str) -> str:
        return self.shifted(value, 2)

    def normed(self, value: str, signs=(-1, 1)) -> str:
        size = self.shape(value)[0]
        gamma, beta = self.power(-1, 1, size) * self.rng.choice(signs, size), self.rng.integers(-32, 33, size) / 16
        stored = [gamma, beta, self.rng.integers(-32, 33, size) / 16, self.power(-1, 1, size) ** 2]
        return self.add("BatchNormalization", [value, *map(self.constant, stored)], epsilon=0.0)

    def passed(self, value: str) -> str:
        return (
            self.add("Identity", [value])
            if self.rng.integers(0, 2)
            else self.add("Cast", [value], to=TensorProto.FLOAT)
        )

    def front(self, value: str) -> str:
        """Up to five of these in any order; behind a pool none that falls."""
        falling = [
            self.turned,
            self.reshaped,
            self.squeezed,
            self.cropped,
            self.gained,
            self.shifted,
            self.normed,
            self.passed,
        ]
        rising = [self.raised, self.moved_up, self.passed]
        for step in self.rng.choice(falling, self.rng.integers(0, 4)):
            value = step(value)
        if len(self.shape(value)) == 3 and self.rng.integers(0, 2):
            value, self.in_pool = self.pooled(value), True
            for step in self.rng.choice(rising, self.rng.integers(1, 4)):
                value = step(value)
            value, self.in_pool = self.turned(value), False
        if self.rng.integers(0, 5) == 0:
            return self.add("Relu", [value])
        return value

    # Quantisers.

    def quantised(self, value: str) -> str:
        kind, scale = (
            self.rng.choice(["QuantizeLinear", "Quant", "signs", "BipolarQuant"], p=[0.45, 0.4, 0.05, 0.1]),
            self.power(-6, -3),
        )
        if kind == "QuantizeLinear":
            stored = self.rng.choice([np.int8, np.uint8])
            zero = int(self.rng.integers(-9, 10)) + (128 if stored == np.uint8 else 0)
            parameters = [self.constant(scale), self.constant(zero, stored)]
            return self.add("DequantizeLinear", [self.add("QuantizeLinear", [value, *parameters]), *parameters])
        if kind == "BipolarQuant":
            return self.add("BipolarQuant", [value, self.constant(scale)], QONNX)
        bits, signed = (1, 1) if kind == "signs" else (int(self.rng.integers(2, 9)), int(self.rng.integers(0, 2)))
        zero = float(self.rng.choice([0, 0, 0, 1, 3, 2.5])) if kind == "Quant" else 0.0
        parameters = [self.constant(number) for number in (scale, zero, bits)]
        flags = {"signed": signed, "narrow": int(self.rng.integers(0, 2)), "rounding_mode": str(self.rng.choice(MODES))}
        return self.add("Quant", [value, *parameters], QONNX, **flags)

    # What follows.

    def dense(self, value: str, width: int, kinds: int = 3) -> str:
        """Scales of weights by tensor, by output or by input: the first `kinds` of these."""
        row = self.add("Flatten", [value])
        depth = self.shape(row)[0]
        axis = int(self.rng.integers(0, kinds))
        scale = self.power(-4, -2, [[1, 1], [1, width], [depth, 1]][axis])
        ints = self.rng.integers(-3, 4, (depth, width))
        weight = self.add(
            "Quant",
            [self.constant(ints * scale), self.constant(scale), self.constant(0), self.constant(4)],
            QONNX,
            signed=1,
            narrow=0,
            rounding_mode="ROUND",
        )
        return self.add(
            "Add", [self.add("MatMul", [row, weight]), self.constant(self.rng.integers(-64, 65, width) / 64)]
        )

    def end(self, value: str) -> str:
        """Every branch at one scale, which Concat needs."""
        parameters = [self.constant(2.0**-2), self.constant(0, np.int8)]
        return self.add("DequantizeLinear", [self.add("QuantizeLinear", [value, *parameters]), *parameters])

    def branch(self, place: int) -> list[str]:
        """Of one input: a layer behind its front, or two behind quantisers of parts of it, or of all of it."""
        if place % 4 == 3:
            return [self.quantised(part) for part in self.add("Split", [self.given([3, 4])], outputs=2, axis=2)]
        value = self.front(self.given([[3, 4, 5], [6], [2, 4]][place % 3]))
        return [self.quantised(value), self.quantised(value)] if place % 4 == 2 else [self.quantised(value)]

    def whole(self) -> onnx.ModelProto:
        ends = [self.end(self.dense(value, 3)) for place in range(INPUTS) for value in self.branch(place)]
        self.answer = self.add("Concat", ends, axis=1)
        return self.model(self.answer)

    def biased(self) -> onnx.ModelProto:
        """A layer whose biases are no whole multiples of its scale, and a softmax."""
        value = self.dense(self.end(self.given([6])), 4, 1)
        self.answer = self.add("Add", [value, self.constant(np.array([3, -5, 1, 0]) / 1024)])
        self.nodes.append(helper.make_node("Softmax", [self.answer], ["chances"], axis=1))
        return self.model("chances")

    def model(self, answer: str) -> onnx.ModelProto:
        inputs = [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", *self.shape(name)]) for name in self.inputs
        ]
        output = helper.make_tensor_value_info(answer, TensorProto.FLOAT, None)
        kept = [numpy_helper.from_array(value, name) for name, value in self.constants.items()]
        graph = helper.make_graph(self.nodes, "fronts", inputs, [output], kept)
        return helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", 13), helper.make_opsetid(QONNX, 1)], ir_version=8
        )


def save(folder: Path, name: str) -> None:
    """A network of a seed, or the one that ends in a softmax, of which the answer is what stands in front of that."""
    net = Fronts(int(name) if name.isdigit() else 0)
    model = net.whole() if name.isdigit() else net.biased()
    (folder / f"{name}.onnx").write_bytes(model.SerializeToString())
    np.savez(
        folder / f"{name}.npz",
        answer0=net.values[net.answer],
        **{f"input{n}": net.values[name] for n, name in enumerate(net.inputs)},
    )


if __name__ == "__main__":
    for name in sys.argv[2:]:
        save(Path(sys.argv[1]), name)
