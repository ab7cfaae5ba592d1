"""Random operators on images whose channels come first, and those that move, pad, limit and rescale integers."""

from __future__ import annotations

import numpy as np
from drawn_graphs import DrawnGraph, DrawnNetwork

__all__ = ["FirstNetwork"]


class FirstNetwork(DrawnNetwork):
    """A random network over an image [1, C, H, W], or a row [1, C, W], that ends flat."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.graph = g = DrawnGraph(self.random)
        sizes = [int(n) for n in self.random.integers(4, 8, 1 + seed % 2)]
        self.shape = (1, int(self.random.integers(1, 5)), *sizes)
        self.x = g.input("image", self.shape, -20, 30)
        kinds = [self.conv, self.max_pool, self.pad, self.slice, self.split, self.gather, self.flipped]
        kinds += [self.limits, self.placed, self.requantize, self.narrow]
        for _ in range(int(self.random.integers(3, 7))):
            self.x = self.random.choice(kinds)()
        self.x = g.node("Flatten", self.x, axis=1)
        self.shape = (1, int(np.prod(self.shape)))
        self.output = g.node("Gemm", self.x, g.weights(self.shape[1], 3, 4), g.constant([5, -7, 0]))
        self.shape = (1, 3)

    def narrow(self, x: str = "") -> str:
        """Thresholds of each channel, so that integers stay small."""
        rows = self.shape[1] if self.random.integers(0, 2) else 1
        layout = "NCHW" if len(self.shape) == 4 else "NCW"
        form = str(self.random.choice(("line", "table", "anywhere")))
        return self.graph.thresholds(x or self.x, rows, 15, 60, form, layout, out_bias=-7.0)

    def conv(self) -> str:
        random, (_, channels, *sizes) = self.random, self.shape
        kernel = [int(n) for n in random.integers(1, 4, len(sizes))]
        pads = [int(n) for n in random.integers(0, 2, 2 * len(sizes))]
        groups = channels if random.integers(0, 2) else 1
        filters = channels * int(random.integers(1, 3)) if groups > 1 else int(random.integers(1, 6))
        out = self._sizes(kernel, pads, 1)
        if min(out) < 1:
            return self.x
        weights = self.graph.constant(random.integers(-4, 5, (filters, channels // groups, *kernel)))
        bias = [self.graph.constant(random.integers(-9, 10, filters))] if random.integers(0, 2) else []
        x = self.graph.node("Conv", self.x, weights, *bias, kernel_shape=kernel, pads=pads, group=groups)
        self.shape = (1, filters, *out)
        return self.narrow(x) if random.integers(0, 2) else self.requantize(x)

    def max_pool(self) -> str:
        spatial = len(self.shape) - 2
        pads = [int(n) for n in self.random.integers(0, 2, 2 * spatial)]
        out = self._sizes([2] * spatial, pads, 2)
        self.shape = (*self.shape[:2], *out)
        return self.graph.node("MaxPool", self.x, kernel_shape=[2] * spatial, strides=[2] * spatial, pads=pads)

    def pad(self) -> str:
        rank = len(self.shape)
        amounts = np.concatenate([[0], self.random.integers(0, 2, rank - 1), [0], self.random.integers(0, 2, rank - 1)])
        self.shape = tuple(int(n + a + b) for n, a, b in zip(self.shape, amounts[:rank], amounts[rank:]))
        value = self.graph.constant(self.random.integers(-9, 9))
        return self.graph.node("Pad", self.x, self.graph.constant(amounts, np.int64), value)

    def slice(self) -> str:
        axis = int(self.random.integers(1, len(self.shape)))
        size = self.shape[axis]
        of = [self.graph.constant([n], np.int64) for n in (size, -size - 1, axis, -2)]
        self.shape = tuple(-(-n // 2) if i == axis else n for i, n in enumerate(self.shape))
        return self.graph.node("Slice", self.x, *of)

    def split(self) -> str:
        """Both parts of an axis, the second one in front."""
        axis = int(self.random.integers(1, len(self.shape)))
        if self.shape[axis] < 2:
            return self.x
        sizes = self.graph.constant([1, self.shape[axis] - 1], np.int64)
        names = tuple(f"{self.x}_{i}_{len(self.graph.nodes)}" for i in range(2))
        self.graph.node("Split", self.x, sizes, outputs=names, axis=axis)
        return self.graph.node("Concat", *names[::-1], axis=axis)

    def gather(self) -> str:
        axis = int(self.random.integers(1, len(self.shape)))
        places = self.random.integers(0, self.shape[axis], int(self.random.integers(1, 6)))
        self.shape = tuple(len(places) if i == axis else n for i, n in enumerate(self.shape))
        return self.graph.node("Gather", self.x, self.graph.constant(places, np.int64), axis=axis)

    def flipped(self) -> str:
        """The last two axes exchanged."""
        order = [*range(len(self.shape) - 2), len(self.shape) - 1, len(self.shape) - 2]
        self.shape = tuple(self.shape[i] for i in order)
        return self.graph.node("Transpose", self.x, perm=order)

    def limits(self) -> str:
        """Held to a range; then the larger of it and of the same at other places."""
        low, high = (self.graph.constant(n) for n in sorted(self.random.integers(-9, 10, 2)))
        x = self.graph.node("Min", self.graph.node("Max", self.x, low), high)
        return self.graph.node("Max", x, self.graph.node("Mul", self.x, self.graph.constant(-1)))

    def placed(self) -> str:
        """A constant for each place, or for each of one axis, that is added or multiplied."""
        shape = [n if self.random.integers(0, 2) else 1 for n in self.shape]
        constant = self.graph.constant(self.random.integers(-3, 4, shape))
        return self.narrow(self.graph.node(str(self.random.choice(("Add", "Mul"))), self.x, constant))

    def requantize(self, x: str = "") -> str:
        """A line of each channel, or of all, through a table of what it gives."""
        random, g = self.random, self.graph
        rows = self.shape[1] if random.integers(0, 2) else 1
        shift = int(random.choice((4, 12, 50)))
        multiplier = g.constant(random.integers(1, 1 << shift - 2, rows), np.int64)
        addend = g.constant(random.integers(0, 1 << shift, rows), np.int64)
        facts = {"axis": 1, "low": -20, "high": 19, "ties": int(random.integers(0, 2))}
        y = g.node("Requantize", x or self.x, multiplier, addend, g.constant([shift], np.int64), **facts)
        return g.node("Table", y, g.constant(random.integers(-30, 30, (1, 40)), np.int64), low=-20)

    def _sizes(self, kernel, pads, stride: int) -> list[int]:
        spatial = len(kernel)
        return [(n + pads[i] + pads[i + spatial] - kernel[i]) // stride + 1 for i, n in enumerate(self.shape[2:])]
