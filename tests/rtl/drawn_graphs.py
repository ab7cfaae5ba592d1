"""Random integer graphs in the form that streamline gives them, and the artefact around one."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

QONNX = "qonnx.custom_op.general"
DOMAINS = dict.fromkeys(("MultiThreshold", "Im2Col", "MaxPoolNHWC", "XnorPopcountMatMul"), QONNX)
DOMAINS |= dict.fromkeys(("Requantize", "Table", "IntegerSoftmax"), "microstage")


class DrawnGraph:
    """A graph under construction: nodes on float containers of integers."""

    def __init__(self, random: np.random.Generator) -> None:
        self.random, self.nodes, self.constants, self.inputs = random, [], {}, {}

    def input(self, name: str, shape: tuple[int, ...], low: int, high: int) -> str:
        self.inputs[name] = shape, low, high
        return name

    def constant(self, values, dtype=np.float32) -> str:
        name = f"constant_{len(self.constants)}"
        self.constants[name] = np.asarray(values, dtype)
        return name

    def node(self, operator: str, *inputs: str, output: str = "", outputs: tuple[str, ...] = (), **attributes) -> str:
        names = outputs or (output or f"{operator.lower()}_{len(self.nodes)}",)
        domain = DOMAINS.get(operator, "")
        self.nodes.append(helper.make_node(operator, list(inputs), list(names), domain=domain, **attributes))
        return names[-1]

    def weights(self, depth: int, filters: int, bits: int) -> str:
        """Weights of so many bits; of one bit they are +1 and -1."""
        if bits == 1:
            return self.constant(self.random.choice([-1, 1], (depth, filters)))
        return self.constant(self.random.integers(-(1 << bits - 1), 1 << bits - 1, (depth, filters)))

    def thresholds(self, x: str, rows: int, levels: int, reach: int, form: str, layout: str, **attributes) -> str:
        """Thresholds on even steps (a line of each row), on one uneven row that is shifted (a table), or anywhere."""
        random = self.random
        if form == "line":
            step = random.integers(1, max(2, 2 * reach // (levels + 1)), (rows, 1))
            steps = np.arange(levels) * step + random.integers(-reach, reach // 2 + 1, (rows, 1))
        elif form == "table":
            row = np.cumsum(random.integers(1, 4, levels)) * max(1, reach // (2 * levels))
            steps = row + random.integers(-reach, reach // 4 + 1, (rows, 1))
        else:
            steps = np.sort(random.integers(-reach, reach + 1, (rows, levels)), axis=1)
        facts = {"out_scale": 1.0, "out_bias": 0.0, "out_dtype": "INT9", "data_layout": layout, **attributes}
        return self.node("MultiThreshold", x, self.constant(steps), **facts)

    def model(self, *outputs: str) -> onnx.ModelProto:
        def value(name, shape=None):
            return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

        constants = [numpy_helper.from_array(v, n) for n, v in self.constants.items()]
        inputs = [value(name, said[0]) for name, said in self.inputs.items()]
        return helper.make_model(helper.make_graph(self.nodes, "g", inputs, [value(n) for n in outputs], constants))


def write_artefact(folder: Path, parts: dict[str, DrawnGraph], outputs: dict[str, dict[str, tuple]], **more) -> Path:
    """Write the graphs of `parts` with interface.json; `outputs`: {part: {tensor: (shape, low, high)}}."""
    said = {}
    for name, graph in parts.items():
        onnx.save(graph.model(*outputs[name]), folder / f"{name}.onnx")
        sides = {"inputs": graph.inputs, "outputs": outputs[name]}
        said[name] = {"file": f"{name}.onnx"} | {
            side: {
                n: {"shape": list(shape), "range": [low, high], "scale": 1.0} for n, (shape, low, high) in of.items()
            }
            for side, of in sides.items()
        }
    (folder / "interface.json").write_text(json.dumps({"parts": said, **more}))
    return folder


FORMS = ("line", "table", "anywhere")
_REACH = 200


class DrawnNetwork:
    """A random network over an image [1, H, W, C]: convolutions, pooling, then rows; `graph` and its `output`."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.graph = g = DrawnGraph(self.random)
        self.shape = (1, *(int(n) for n in self.random.integers(5, 9, 2)), int(self.random.integers(1, 5)))
        self.bits = int(self.random.integers(1, 7))
        low = 0 if seed % 2 else -20
        self.x = g.input("image", self.shape, low, low + 30)
        for _ in range(int(self.random.integers(1, 4))):
            self.x = self.random.choice([self.convolution, self.depthwise, self.pooling, self.turned])()
        self.x = g.node("Flatten", self.x, axis=1)
        self.shape = (1, int(np.prod(self.shape)))
        for _ in range(int(self.random.integers(1, 4))):
            self.x = self.random.choice([self.dense, self.binary, self.pair, self.joined])()
        self.output = self.largest() if seed % 3 == 0 else self.x

    def convolution(self) -> str:
        """Windows with or without a border, a stride, a dilation; then thresholds or a constant that is added."""
        random, channels = self.random, self.shape[-1]
        kernel = [int(n) for n in random.integers(1, 4, 2)]
        pads = [int(n) for n in random.integers(0, 2, 4)]
        stride, dilation = ([int(n) for n in random.integers(1, 3, 2)] for _ in range(2))
        x, sizes = self._windows(kernel, pads, stride, dilation)
        if x is None:
            return self.x
        filters = int(random.integers(1, 8))
        x = self.graph.node("MatMul", x, self.graph.weights(kernel[0] * kernel[1] * channels, filters, self.bits))
        self.shape = (1, *sizes, filters)
        return self._levels(x, filters, "NHWC")

    def depthwise(self) -> str:
        """Windows of which each filter sees one channel."""
        channels = self.shape[-1]
        x, sizes = self._windows([2, 3], [1, 0, 0, 1], [1, 2], [1, 1])
        if x is None or channels < 2:
            return self.x
        weights = np.zeros((6, channels, channels), int)
        weights[:, range(channels), range(channels)] = self.random.integers(-4, 5, (6, channels))
        x = self.graph.node("MatMul", x, self.graph.constant(weights.reshape(-1, channels)))
        self.shape = (1, *sizes, channels)
        return self._levels(x, channels, "NHWC")

    def pooling(self) -> str:
        _, height, width, channels = self.shape
        if min(height, width) < 2:
            return self.x
        self.shape = (1, height // 2, width - 1, channels)
        return self.graph.node("MaxPoolNHWC", self.x, kernel_shape=[2, 2], strides=[2, 1], pads=[0, 0, 0, 0])

    def turned(self) -> str:
        self.shape = tuple(self.shape[i] for i in (0, 3, 1, 2))
        return self.graph.node("Transpose", self.x, perm=[0, 3, 1, 2])

    def dense(self) -> str:
        filters = int(self.random.integers(1, 12))
        x = self.graph.node("MatMul", self.x, self.graph.weights(self.shape[-1], filters, self.bits))
        self.shape = (1, filters)
        return self._levels(x, filters, "NC")

    def binary(self) -> str:
        """Equal bits are counted."""
        bits = self.graph.thresholds(self.x, 1, 1, 5, "anywhere", "NC")
        filters = int(self.random.integers(1, 12))
        weights = self.graph.constant(self.random.integers(0, 2, (self.shape[-1], filters)))
        self.shape = (1, filters)
        return self.graph.node("XnorPopcountMatMul", bits, weights)

    def pair(self) -> str:
        """A product with thresholds, added to a broadcast copy of one row's first integers, times a constant."""
        g, width = self.graph, self.shape[-1]
        small = g.thresholds(self.x, 1, 9, 60, "anywhere", "NC", out_bias=-4.0)
        product = g.node("Mul", small, small)
        one = g.node("MatMul", small, g.weights(width, 1, 2))
        held = g.thresholds(one, 1, 20, 30, "line", "NC", out_bias=-10.0)
        x = g.node("Add", product, held)
        return g.node("Mul", x, g.constant(self.random.integers(-3, 4, width)))

    def joined(self) -> str:
        """Two halves of another scale side by side."""
        g = self.graph
        parts = [
            g.thresholds(self.x, 1, 3, 90, "anywhere", "NC", out_scale=s, out_bias=b)
            for s, b in ((2.0, -3.0), (1.0, 0.0))
        ]
        self.shape = (1, 2 * self.shape[-1])
        return g.node("Concat", *parts, axis=1)

    def largest(self) -> str:
        self.shape = (1, 1)
        count = self.graph.constant([1], np.int64)
        return self.graph.node("TopK", self.x, count, outputs=("largest", "place"), axis=1, largest=1, sorted=1)

    def _windows(self, kernel, pads, stride, dilation):
        """Return (windows, [H, W] of them), (None, []) where none fits."""
        _, height, width, channels = self.shape
        sizes = [
            (n + pads[i] + pads[i + 2] - dilation[i] * (kernel[i] - 1) - 1) // stride[i] + 1
            for i, n in enumerate((height, width))
        ]
        if min(sizes) < 1:
            return None, []
        facts = {"kernel_size": kernel, "pad_amount": pads, "stride": stride, "dilations": dilation, "depthwise": 0}
        return self.graph.node("Im2Col", self.x, input_shape=f"(1,{height},{width},{channels})", **facts), sizes

    def _levels(self, x: str, filters: int, layout: str) -> str:
        """Return thresholds of `x`, or `x` plus a constant."""
        random, g = self.random, self.graph
        if random.integers(0, 4) == 0:
            return g.node("Add", x, g.constant(random.integers(-9, 10, filters)))
        rows, levels = (1 if random.integers(0, 3) == 0 else filters), int(random.choice([1, 3, 7, 40]))
        return g.thresholds(
            x, rows, levels, _REACH, str(random.choice(FORMS)), layout, out_bias=float(random.integers(-3, 1))
        )

    def write(self, folder: Path) -> Path:
        """Write the artefact of this network alone."""
        said = {"net": {self.output: (self.shape, -(1 << 30), 1 << 30)}}
        return write_artefact(folder, {"net": self.graph}, said)
