"""Append layers to a part and prove, in integers, the range of each result; every lowering builds with it.

Tensors are seen in the order that the graph gives them; in memory images lie channels last, so that transposing an
image costs nothing. Every method takes `place`, the beginning of every error sentence.
"""

from __future__ import annotations

from math import prod

import numpy as np

from microstage.errors import ModelError
from microstage.requantise import MultiplyAddShift, Search
from microstage_cbackend.program.ir import Tensor, accumulator_type, ends_by_channel
from microstage_cbackend.program.places import channel_loops, padded_loops
from microstage_cbackend.program.wide import Wide
from microstage_cbackend.program.windows import Window
from microstage_cbackend.read.sum_builder import SumBuilder

__all__ = ["ProgramBuilder"]

_LONGEST_SOFTMAX = 4095


class ProgramBuilder(SumBuilder):
    """Append layers to `part` and prove, in integers, the range of each result."""

    def max_pool(self, place: str, operator: str, name: str, x: Tensor, window: Window) -> Tensor:
        """Take the largest value of each window of `x` [1, channels, (height,) width]."""
        x = self.channels_last(place, x)
        y = Tensor(name, (*window.output2, x.shape[-1]), x.low, x.high)
        self.layer(
            place, operator, "ms_max_pool", [x], y, {"outer": 1, "inner": x.shape[-1], **window.sizes(dilated=False)}
        )
        return self._channels_first(y, window.output)

    def pair(
        self, place: str, operator: str, kernel: str, name: str, x: Tensor, w: Tensor, low: int, high: int
    ) -> Tensor:
        """Compute element by element, with broadcasting, what lies in low..high.

        The result lies in memory as the larger operand does.
        """
        try:
            shape = tuple(np.broadcast_shapes(x.shape, w.shape))
        except ValueError:
            raise ModelError(
                f"{place} joins shapes {list(x.shape)} and {list(w.shape)}, which do not broadcast."
            ) from None
        xs, ws = (np.broadcast_to(t.places, shape).ravel() for t in (x, w))
        inner = xs if x.data is None and np.unique(xs).size == xs.size else ws
        order = np.argsort(inner, kind="stable")
        found = padded_loops([xs[order], ws[order]])
        if found is None:
            order = np.arange(len(xs))
            found = padded_loops([xs, ws])
        if found is None:
            raise ModelError(f"{place} walks along more than four axes at once; split it into two nodes.")
        size, (x_step, w_step) = found
        y = Tensor(name, shape, low, high)
        starts = [self._from_place(t, int(s[order[0]])) for t, s in ((x, xs), (w, ws))]
        layer = self.layer(place, operator, kernel, starts, y, {"size": size, "x_step": x_step, "w_step": w_step})
        layer.accumulator = accumulator_type(min(low, x.low, w.low), max(high, x.high, w.high), f"{place}: its result")
        layer.remark = f"results within {low}..{high}"
        places = np.empty(len(order), np.int64)
        places[order] = np.arange(len(order))
        return y.view(name, places.reshape(shape))

    def _from_place(self, t: Tensor, first: int) -> Tensor:
        """Return `t` read from place `first` on."""
        if t.data is None:
            return t.root.view(t.name, np.array([first]))
        return t if first == 0 else Tensor(t.name, (t.size - first,), t.low, t.high, t.data.ravel()[first:])

    def add(self, place: str, operator: str, name: str, x: Tensor, w: Tensor) -> Tensor:
        """Add `x` and `w`, with broadcasting."""
        return self.pair(place, operator, "ms_add", name, x, w, x.low + w.low, x.high + w.high)

    def mul(self, place: str, operator: str, name: str, x: Tensor, w: Tensor) -> Tensor:
        """Multiply `x` and `w`, with broadcasting."""
        corners = [a * b for a in (x.low, x.high) for b in (w.low, w.high)]
        return self.pair(place, operator, "ms_mul", name, x, w, min(corners), max(corners))

    def search(self, place: str, operator: str, name: str, x: Tensor, rows: np.ndarray, search: Search) -> Tensor:
        """Count thresholds for every value of `x`; `rows` of x's shape says which row of `search` an element takes."""
        x, order = self._memory_order(place, x)
        outer, labels, inner = channel_loops(np.broadcast_to(rows, x.shape).ravel()[order])
        thresholds = search.thresholds if len(search.thresholds) == 1 else search.thresholds[labels]
        wide = max(abs(x.low), abs(x.high)) >= 2**31
        stage = Search(thresholds, search.scale, search.bias, wide).held(x.low, x.high)
        stage.wide = wide or max(abs(x.low), abs(x.high) + 1) >= 2**31
        reached = [
            stage.bias + stage.scale * int(n) for e in (x.low, x.high) for n in (stage.thresholds <= e).sum(axis=1)
        ]
        y = Tensor(name, x.shape, min(reached), max(reached))
        flat = x.root.view(x.name, np.sort(x.places.ravel()))
        layer = self.layer(
            place, operator, "ms_stage", [flat], y, {"outer": outer, "channels": len(labels), "inner": inner}
        )
        layer.stage, layer.remark, layer.reach = (
            stage,
            f"{thresholds.shape[1]} thresholds",
            ends_by_channel(flat, outer, len(labels), inner),
        )
        layer.accumulator = "int64_t" if stage.wide else "int32_t"
        return self._in_order_of(x, y, order)

    def line(
        self, place: str, operator: str, name: str, x: Tensor, rows: np.ndarray, stage: MultiplyAddShift | Wide
    ) -> Tensor:
        """Apply the line `stage` to every value of `x`; `rows` of x's shape says which row an element takes."""
        x, order = self._memory_order(place, x)
        outer, labels, inner = channel_loops(np.broadcast_to(rows, x.shape).ravel()[order])
        stage = stage.of_rows(labels)
        flat = x.root.view(x.name, np.sort(x.places.ravel()))
        reach = ends_by_channel(flat, outer, len(labels), inner)
        levels = [stage.apply(end, np.arange(len(labels))) for end in reach]
        y = Tensor(name, x.shape, int(np.min(levels)), int(np.max(levels)))
        layer = self.layer(
            place, operator, "ms_stage", [flat], y, {"outer": outer, "channels": len(labels), "inner": inner}
        )
        layer.stage, layer.reach, layer.remark = stage, reach, f"levels {stage.low}..{stage.high}"
        layer.accumulator = accumulator_type(flat.low, flat.high, f"{place}: its input")
        return self._in_order_of(x, y, order)

    def table(self, place: str, operator: str, name: str, x: Tensor, table: np.ndarray, low: int) -> Tensor:
        """Return table[value - low] of every value of `x`."""
        x, order = self._memory_order(place, x)
        first, last = x.low - low, x.high - low
        if first < 0 or last >= len(table):
            raise ModelError(
                f"{place} has {len(table)} values from {low} on for a tensor of {x.low}..{x.high}; give one for each."
            )
        values = np.ascontiguousarray(table[first : last + 1])
        y = Tensor(name, x.shape, int(values.min()), int(values.max()))
        flat = x.root.view(x.name, np.sort(x.places.ravel()))
        constant = Tensor(f"{name}_table", values.shape, y.low, y.high, values)
        self.layer(place, operator, "ms_table", [flat, constant], y, {"count": prod(x.shape), "low": x.low})
        return self._in_order_of(x, y, order)

    def softmax(self, place: str, operator: str, name: str, x: Tensor, exponentials: np.ndarray, bits: int) -> Tensor:
        """Compute fractions of each row along the last axis of `x`, integers of `bits`.

        `exponentials` by the difference to the row's largest value.
        """
        x, depth = self.dense(place, x), x.shape[-1]
        if depth > _LONGEST_SOFTMAX:
            raise ModelError(
                f"{place} sums {depth} exponentials, which 32 bits do not hold; at most {_LONGEST_SOFTMAX} can be made."
            )
        y = Tensor(name, x.shape, -(1 << (bits - 1)), (1 << (bits - 1)) - 1)
        table = Tensor(f"{name}_exp", exponentials.shape, 0, int(exponentials.max()), exponentials, declared="int32_t")
        shape = {"outer": prod(x.shape) // depth, "depth": depth, "count": len(exponentials), "bits": bits}
        self.layer(place, operator, "ms_softmax", [x, table], y, shape)
        return y

    def top(self, place: str, operator: str, name: str, x: Tensor, axis: int, keep: int, last: int = 0) -> Tensor:
        """Find the places along `axis` of the `keep` largest values.

        Among equals the lowest place comes first, or the highest (`last`).
        """
        x = self.dense(place, x)
        count = x.shape[axis]
        y = Tensor(name, (*x.shape[:axis], keep, *x.shape[axis + 1 :]), 0, count - 1)
        shape = {
            "outer": prod(x.shape[:axis]),
            "count": count,
            "inner": prod(x.shape[axis + 1 :]),
            "keep": keep,
            "last": last,
        }
        self.layer(place, operator, "ms_top", [x], y, shape)
        return y

    def take(self, place: str, operator: str, name: str, x: Tensor, at: Tensor, axis: int) -> Tensor:
        """Return the values of the dense `x` at places `at` along `axis`."""
        y = Tensor(name, at.shape, x.low, x.high)
        shape = {
            "outer": prod(x.shape[:axis]),
            "count": x.shape[axis],
            "inner": prod(x.shape[axis + 1 :]),
            "keep": at.shape[axis],
        }
        self.layer(place, operator, "ms_take", [x, at], y, shape)
        return y
