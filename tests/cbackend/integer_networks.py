"""Random integer networks as streamline writes them: convolutions, sums of two scales, averages, centred tensors."""

from __future__ import annotations

import numpy as np
from graphs import QONNX, Graph
from hypothesis import strategies as st

from microstage.integer import Interpreter

__all__ = ["networks", "reference"]

_GRIDS = [(0, 255), (-128, 127), (-131, 124), (-8, 7), (0, 1), (-40, 200), (-(2**15), 2**15 - 1), (0, 2**16 - 1)]
_THRESHOLDS = 512  # levels beyond which a line of our own is written


class _Drawn:
    """A network in the making: `x` [1, channels, height, width] holds integers within low..high."""

    def __init__(self, seed: int, size: tuple[int, int], channels: int, datatype: str) -> None:
        self.random, self.g = np.random.default_rng(seed), Graph()
        self.size, self.channels = size, channels
        self.x = self.g.input("x", (1, channels, *size), datatype)

    def weights(self, *shape: int) -> str:
        low = int(self.random.choice([-128, -8, -2, -1]))
        values = self.random.integers(low, -low, shape, endpoint=low == -1)
        values[self.random.random(len(values)) < 0.2] = 0  # dead filters
        return self.g.constant(f"w{len(self.g.nodes)}", values)

    def quantise(self, y: str, grid: tuple[int, int], single: bool = False) -> None:
        """A line per channel, rounded half up; thresholds that a channel does not reach stand anywhere beyond."""
        low, high = grid
        if high - low > _THRESHOLDS:
            return self.requantise(y, grid)
        rows = 1 if single else self.channels
        slope, start = self.random.uniform(3, 4000 / (high - low), (rows, 1)), self.random.uniform(-3000, 0, (rows, 1))
        self.x = self.g.threshold(y, np.ceil(start + slope * np.arange(high - low)), low, "NCHW")

    def requantise(self, y: str, grid: tuple[int, int]) -> None:
        """A line per channel for levels of 16 bits: rounded down, half to even, or so fine that its products need more
        than 64 bits."""
        kind, shift = self.random.integers(3), int(self.random.integers(5, 20))
        lift, more = (24, 40) if kind == 2 else (0, 0)
        slope = self.random.uniform(0.2, 6, self.channels) * 2.0 ** (shift + more)
        numbers = {
            "multiplier": slope.astype(np.int64),
            "addend": self.random.integers(0, 1 << (shift + more - lift), self.channels),
            "shift": [shift + more],
        }
        stored = [self.g.constant(f"{name}{len(self.g.nodes)}", values, np.int64) for name, values in numbers.items()]
        flags = {"low": grid[0], "high": grid[1], "axis": 1, "ties": int(kind == 1), "lift": lift}
        self.x = self.g.node("Requantize", y, *stored, domain="microstage", **flags)

    def centre(self) -> None:
        self.x = self.g.node(
            "Add", self.x, self.g.constant(f"zero{len(self.g.nodes)}", [int(self.random.integers(-128, 129))])
        )

    def conv(self, kind: str, grid: tuple[int, int]) -> None:
        groups = 1 if kind == "conv" else self.channels
        filters = self.channels if kind == "depthwise" else int(self.random.integers(1, 4)) * groups
        w, pads = self.weights(filters, self.channels // groups, 3, 3), [int(self.random.integers(0, 2))] * 4
        if min(self.size) < 3:
            pads = [1] * 4
        y = self.g.node("Conv", self.x, w, group=groups, pads=pads)
        self.size, self.channels = tuple(n + 2 * pads[0] - 2 for n in self.size), filters
        self.quantise(y, grid)

    def lowered(self, grid: tuple[int, int]) -> None:
        """A depthwise convolution as patches and a product with a matrix that is zero outside its blocks."""
        c, rows = self.channels, self.g.node("Transpose", self.x, perm=[0, 2, 3, 1])
        patches = self.g.node(
            "Im2Col",
            rows,
            domain=QONNX,
            stride=[1, 1],
            kernel_size=[3, 3],
            pad_amount=[1] * 4,
            depthwise=1,
            input_shape="",
        )
        matrix = np.einsum("tc,cf->tcf", self.random.integers(-8, 8, (9, c)), np.eye(c, dtype=int)).reshape(9 * c, c)
        y = self.g.node("MatMul", patches, self.g.constant(f"w{len(self.g.nodes)}", matrix))
        self.quantise(self.g.node("Transpose", y, perm=[0, 3, 1, 2]), grid)

    def residual(self, grid: tuple[int, int]) -> None:
        """a + b at scales s and t, rounded: thresholds of p a + r b at every lattice point of both ranges."""
        a, lows, widths = self.x, [], []
        self.quantise(a, _GRIDS[self.random.integers(3)], single=True)
        a, low = self.x, self.low_of(self.x)
        self.quantise(
            self.g.node("Conv", a, self.weights(self.channels, self.channels, 1, 1)), _GRIDS[self.random.integers(3)]
        )
        b, lows, widths = self.x, (low, self.low_of(self.x)), (256, 256)
        factors = sorted(self.random.integers(200, 500, 2))
        xs, ys = (np.arange(start, start + width) for start, width in zip(lows, widths))
        sums, step = np.unique(factors[0] * xs[:, None] + factors[1] * ys), self.random.uniform(250, 700)
        levels = np.clip(np.floor(sums / step + 0.5), *grid).astype(int)
        thresholds = np.append(sums, sums[-1] + 1)[np.searchsorted(levels, np.arange(levels[0] + 1, levels[-1] + 1))]
        terms = [self.g.node("Mul", t, self.g.constant(f"f{len(self.g.nodes)}", [f])) for t, f in zip((a, b), factors)]
        self.x = self.g.threshold(self.g.node("Add", *terms), thresholds[None], int(levels[0]), "NCHW")

    def low_of(self, name: str) -> int:
        node = next(n for n in self.g.nodes if name in n.output)
        return int(next(a.f for a in node.attribute if a.name == "out_bias"))

    def average(self) -> None:
        y = self.g.node(
            "Conv",
            self.x,
            self.g.constant(f"ones{len(self.g.nodes)}", np.ones((self.channels, 1, *self.size))),
            group=self.channels,
        )
        taps, self.size = int(np.prod(self.size)), (1, 1)
        reached = [np.ceil(taps * (k - 0.5)) + (taps % 2 == 0 and k % 2 == 1) for k in range(-127, 128)]  # half to even
        self.x = self.g.threshold(y, [reached], -128, "NCHW")


@st.composite
def networks(draw):
    """(graph, its output)"""
    size = draw(st.sampled_from([(5, 6), (1, 7), (3, 3)]))
    n = _Drawn(
        draw(st.integers(0, 2**32 - 1)),
        size,
        draw(st.integers(1, 5)),
        draw(st.sampled_from(["INT8", "UINT8", "INT9", "UINT4", "INT16", "UINT16"])),
    )
    if draw(st.booleans()):
        n.x = n.g.node("Transpose", n.g.node("Transpose", n.x, perm=[0, 2, 3, 1]), perm=[0, 3, 1, 2])
    for _ in range(draw(st.integers(1, 4))):
        kind = draw(st.sampled_from(["conv", "grouped", "depthwise", "lowered", "residual", "concat", "max", "centre"]))
        grid = draw(st.sampled_from(_GRIDS))
        if kind in ("conv", "grouped", "depthwise"):
            n.conv(kind, grid)
        elif kind == "lowered":
            n.lowered(grid)
        elif kind == "residual":
            n.residual(grid)
        elif kind == "concat":
            n.x, n.channels = n.g.node("Concat", n.x, n.x, axis=1), 2 * n.channels
        elif kind == "max":
            n.x = n.g.node("MaxPool", n.x, kernel_shape=[3, 3], pads=[1] * 4, strides=[1, 1])
        else:
            n.centre()
    if draw(st.booleans()):
        n.average()
    flat, depth = n.g.node("Flatten", n.x), n.channels * int(np.prod(n.size))
    y = n.g.node("MatMul", flat, n.weights(depth, 3))
    bounds = [(-3000, 0), (3, 400)]
    t = np.ceil(n.random.uniform(*bounds[0], (3, 1)) + n.random.uniform(*bounds[1], (3, 1)) * np.arange(255))
    return n.g, n.g.threshold(y, t, draw(st.sampled_from([-128, -140, 0])))


def reference(model, feeds):
    """The product's integer reference."""
    found = Interpreter(model).run({name: values.astype(np.int64) for name, values in feeds.items()})
    return {name: np.rint(value).astype(np.int64) for name, value in found.items()}
