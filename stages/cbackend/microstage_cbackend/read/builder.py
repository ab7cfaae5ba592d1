"""Appends layers to a part and proves, in integers, the range of each result; what every lowering builds with.

Tensors are seen in the order that the graph gives them; in memory images lie channels last, so that transposing an image
costs nothing. Every method takes `place`, the beginning of every error sentence.
"""

from __future__ import annotations

from math import prod

import numpy as np

from microstage.errors import ModelError
from microstage_cbackend.program.ir import Ends, KernelCall, Part, Tensor, accumulator_type
from microstage_cbackend.program.places import channel_loops, padded_loops
from microstage_cbackend.program.stages import MultiplyAddShift, Raw, Search
from microstage_cbackend.program.wide import Wide
from microstage_cbackend.program.windows import Window

__all__ = ["ProgramBuilder", "dot_range", "ends_by_channel"]

_LONGEST_SOFTMAX = 4095


def _dot_ranges(
    weights: np.ndarray, low: int, high: int, bias: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """(low, high) of each output of weights[outputs, depth] times values in low..high; objects, so that nothing wraps."""
    ups, downs = _sides(weights)
    offsets = np.zeros(len(ups), object) if bias is None else bias.astype(object)
    return ups * low + downs * high + offsets, ups * high + downs * low + offsets


def dot_range(weights: np.ndarray, low: int, high: int, bias: np.ndarray | None = None) -> tuple[int, int, int, int]:
    """(low, high) of the results and (low, high) of all partial sums of weights[outputs, depth] times values in low..high.

    A partial sum in any order stays between the sum of all negative and the sum of all positive products.
    """
    lows, highs = _dot_ranges(weights, low, high, bias)
    least, most = _dot_ranges(weights, min(low, 0), max(high, 0))
    offsets = np.zeros(len(least), object) if bias is None else bias.astype(object)
    partial_low, partial_high = (least + np.minimum(offsets, 0)).min(), (most + np.maximum(offsets, 0)).max()
    return int(lows.min()), int(highs.max()), int(min(partial_low, *lows)), int(max(partial_high, *highs))


def _sides(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sums of the positive and of the negative weights of each output, as Python integers."""
    wide = int(np.abs(weights).max(initial=0)) * weights.shape[1] >= 2**62
    exact = weights.astype(object) if wide else weights.astype(np.int64)
    return tuple(part.sum(axis=1).astype(object) for part in (np.maximum(exact, 0), np.minimum(exact, 0)))


def ends_by_channel(x: Tensor, outer: int, channels: int, inner: int) -> Ends:
    """Lowest and highest integer of each of `channels` of `x`, which lies in memory as [outer][channels][inner]."""
    low, high = (end.reshape(outer, channels, inner) for end in x.ends)
    return low.min(axis=(0, 2)), high.max(axis=(0, 2))


class ProgramBuilder:
    """Layers of `part` in the making."""

    def __init__(self, part: Part) -> None:
        self.part = part

    def linear(
        self, place: str, operator: str, name: str, x: Tensor, weights: np.ndarray, bias: np.ndarray | None = None
    ) -> Tensor:
        """[..., depth] by `weights` [columns, depth] and integers `bias` [columns]."""
        if x.shape[-1] != weights.shape[1]:
            raise ModelError(
                f"{place} multiplies {list(x.shape)} by {list(weights.shape[::-1])}; their depths must agree."
            )
        x, order = self._rows(place, x, weights.shape[1])
        weights = weights[:, order]
        low, high, *partial = dot_range(weights, x.low, x.high, bias)
        y = Tensor(name, (*x.shape[:-1], len(weights)), low, high)
        shape = {"rows": prod(x.shape[:-1]), "depth": weights.shape[1], "columns": len(weights)}
        return self._summing(place, operator, "ms_linear", x, weights, bias, y, shape, partial)

    def _rows(self, place: str, x: Tensor, depth: int) -> tuple[Tensor, np.ndarray]:
        """`x` with its rows one after another in memory, and where in a row of memory each value of a row stands, inverted."""
        places = x.places.reshape(-1, depth)
        starts = places.min(axis=1)
        inside = places - starts[:, None]
        order = np.argsort(inside[0])
        together = np.array_equal(starts, starts[0] + depth * np.arange(len(starts)))
        if together and np.array_equal(np.sort(inside[0]), np.arange(depth)) and np.all(inside == inside[0]):
            return x.view(x.name, (starts[:, None] + np.arange(depth)).reshape(x.shape)), order
        return self.packed(place, x, x.places), np.arange(depth)

    def conv(
        self,
        place,
        operator,
        name,
        x: Tensor,
        weights: np.ndarray,
        bias,
        groups: int,
        window: Window,
        pad_value: int = 0,
    ) -> Tensor:
        """`x` [1, channels, (height,) width] by `weights` [filters, channels / groups, (kernel_h,) kernel_w]."""
        filters, channels = len(weights), x.shape[1]
        if weights.shape[1] * groups != channels or filters % groups:
            raise ModelError(
                f"{place} has {channels} channels, {groups} groups and weights {list(weights.shape)}, which do not agree."
            )
        kernel = weights.reshape(filters, weights.shape[1], -1, weights.shape[-1]).transpose(0, 2, 3, 1)
        x = self._padded(place, self.channels_last(place, x), pad_value, window)
        ends = (min(x.low, pad_value), max(x.high, pad_value)) if window.padded else (x.low, x.high)
        low, high, *partial = dot_range(kernel.reshape(filters, -1), *ends, bias)
        y = Tensor(name, (*window.output2, filters), low, high)
        if groups == 1 and window.pointwise:
            shape = {"rows": prod(window.output2), "depth": channels, "columns": filters}
            y = self._summing(
                place, operator, "ms_linear", x, kernel.reshape(filters, channels), bias, y, shape, partial
            )
        else:
            shape = {
                "channels": channels,
                "filters": filters,
                "groups": groups,
                "pad_value": pad_value,
                **window.sizes(dilated=True),
            }
            y = self._window_layer(place, operator, x, kernel, bias, y, shape, partial, window)
        return self._channels_first(y, window.output)

    def _window_layer(self, place, operator, x, kernel, bias, y, shape, partial, window: Window) -> Tensor:
        if shape["groups"] == shape["channels"] == shape["filters"]:
            weights = np.ascontiguousarray(kernel[..., 0].transpose(1, 2, 0))
            y = self._summing(place, operator, "ms_depthwise", x, weights, bias, y, shape, partial)
            self.part.layers[-1].scratch = shape["channels"]
            return y
        y = self._summing(place, operator, "ms_conv2d", x, kernel, bias, y, shape, partial)
        self.part.layers[-1].scratch = prod(kernel.shape[1:])
        return y

    def _summing(self, place, operator, kernel, x, weights, bias, y, shape, partial) -> Tensor:
        accumulator = accumulator_type(*partial, f"{place}: its sum")
        w = Tensor(
            f"{y.name}_weights", weights.shape, int(weights.min()), int(weights.max()), np.ascontiguousarray(weights)
        )
        layer = self.layer(
            place,
            operator,
            kernel,
            [x, w],
            y,
            shape,
            accumulator,
            f"partial sums within {partial[0]}..{partial[1]}, {accumulator}",
        )
        layer.stage, layer.partial = Raw(accumulator == "int64_t"), tuple(partial)
        if bias is not None and np.any(bias):
            layer.bias = Tensor(
                f"{y.name}_bias", bias.shape, int(bias.min()), int(bias.max()), bias, declared=accumulator
            )
        return y

    def patches(self, place: str, operator: str, name: str, x: Tensor, window: Window, pad_value: int) -> Tensor:
        """What each position of `window` sees of `x` [1, height, width, channels], in the order (kernel_h, kernel_w, channels)."""
        x = self._padded(place, self.dense(place, x), pad_value, window)
        low, high = (min(x.low, pad_value), max(x.high, pad_value)) if window.padded else (x.low, x.high)
        y = Tensor(name, (1, *window.output, prod(window.kernel) * x.shape[3]), low, high)
        self.layer(
            place,
            operator,
            "ms_im2col",
            [x],
            y,
            {"channels": x.shape[3], "pad_value": pad_value, **window.sizes(dilated=True)},
        )
        return y

    def dense(self, place: str, x: Tensor) -> Tensor:
        """`x` in memory as the graph orders it; copied only where it is not."""
        return x if x.dense else self.packed(place, x, x.places)

    def _padded(self, place: str, x: Tensor, pad_value: int, window: Window) -> Tensor:
        """`x` in a type that holds what stands outside it, too, as patches of both are copied together; the caller's type stays."""
        if not window.padded or x.root.low <= pad_value <= x.root.high:
            return x
        x = self.packed(place, x, x.places) if x.root in self.part.inputs else x
        x.root.low, x.root.high = min(x.root.low, pad_value), max(x.root.high, pad_value)
        return x

    def channels_last(self, place: str, x: Tensor) -> Tensor:
        """An image [1, channels, (height,) width] as it lies in memory, [(height,) width, channels]; copied only where it must."""
        order = [*range(2, len(x.shape)), 1]
        places = x.places[0].transpose([a - 1 for a in order])
        seen = x.view(x.name, places)
        return seen if seen.dense else self.packed(place, seen, places)

    def _channels_first(self, y: Tensor, image: tuple[int, ...]) -> Tensor:
        """The result [(1,) height, width, channels] as the graph sees it, [1, channels, (height,) width]."""
        places = y.places.reshape(*image, y.shape[-1])
        return y.view(y.name, np.moveaxis(places, -1, 0)[None])

    def packed(self, place: str, x: Tensor, places: np.ndarray) -> Tensor:
        """A dense copy of the elements at `places`."""
        y = Tensor(f"{x.name}_copy", places.shape, x.low, x.high)
        self._copy(place, "Copy", x, places.ravel(), y, np.arange(places.size))
        y.reach = None if x.root.reach is None else tuple(end[places.ravel()] for end in x.root.reach)
        return y

    def copy(self, place: str, x: Tensor, y: Tensor) -> None:
        """Fill the dense `y` with the elements of `x` in the graph's order; constants too."""
        walk = np.argsort(x.places.ravel()) if x.data is None else np.arange(x.size)
        if x.data is None and padded_loops([x.places.ravel()[walk], walk]) is None:
            walk = np.arange(x.size)
        self._copy(place, "Copy", x, x.places.ravel()[walk], y, walk)

    def _copy(self, place: str, operator: str, x: Tensor, taken: np.ndarray, y: Tensor, put: np.ndarray) -> None:
        found = padded_loops([taken, put])
        if found is None:
            return self._gather(place, operator, x, taken, y, put)
        size, (x_step, y_step) = found
        shape = {"size": size, "x_start": int(taken[0]), "x_step": x_step, "y_start": int(put[0]), "y_step": y_step}
        self.layer(place, operator, "ms_copy", [x.root], y, shape)

    def _gather(self, place: str, operator: str, x: Tensor, taken: np.ndarray, y: Tensor, put: np.ndarray) -> None:
        """Fill places `put` of `y` with the elements `taken` of `x`, which lie in no few loops."""
        order = np.argsort(put, kind="stable")
        taken, put = taken[order], put[order]
        dense = np.array_equal(put, np.arange(put[0], put[0] + len(put)))
        row = (
            y.root.view(y.name, put)
            if dense
            else Tensor(f"{y.name}_row{len(self.part.layers)}", (len(put),), y.low, y.high)
        )
        places = Tensor(
            f"{y.name}_places{len(self.part.layers)}", taken.shape, int(taken.min()), int(taken.max()), taken
        )
        self.layer(place, operator, "ms_gather", [x.root, places], row, {"count": len(taken)})
        if not dense:
            if padded_loops([np.arange(len(put)), put]) is None:
                raise ModelError(f"{place} fills places along more than four axes at once; split it into two nodes.")
            self._copy(place, operator, row, np.arange(len(put)), y, put)

    def pad(self, place: str, operator: str, name: str, x: Tensor, pads: np.ndarray, fill: int) -> Tensor:
        """`x` with `fill` around it, `pads` [2, axes] values wide before and behind, which lies in memory as `x` does."""
        shape = tuple(int(n) for n in np.add(x.shape, pads.sum(axis=0)))
        order = np.argsort([-s for s in _steps(x)], kind="stable")
        y = Tensor(name, shape, min(x.low, fill), max(x.high, fill))
        places = np.arange(prod(shape)).reshape([shape[a] for a in order]).transpose(np.argsort(order))
        outside = Tensor(f"{name}_fill", (1,), fill, fill, np.array([fill]))
        inner = places
        for axis in order:
            before, size = int(pads[0][axis]), x.shape[axis]
            for slab in (inner.take(range(before), axis), inner.take(range(before + size, inner.shape[axis]), axis)):
                if slab.size:
                    self._copy(place, operator, outside, np.zeros(slab.size, np.int64), y, np.sort(slab.ravel()))
            inner = inner.take(range(before, before + size), axis)
        walk = np.argsort(inner.ravel())
        self._copy(place, operator, x, x.places.ravel()[walk], y, inner.ravel()[walk])
        return y.view(name, places)

    def concat(self, place: str, operator: str, name: str, inputs: list[Tensor], axis: int) -> Tensor:
        """One copy per operand into the output, which lies in memory as the first operand does."""
        first = inputs[0]
        shape = (*first.shape[:axis], sum(x.shape[axis] for x in inputs), *first.shape[axis + 1 :])
        order = np.argsort([-s for s in _steps(first)], kind="stable")  # outermost axis in memory first
        y = Tensor(name, shape, min(x.low for x in inputs), max(x.high for x in inputs))
        places = np.arange(prod(shape)).reshape([shape[a] for a in order]).transpose(np.argsort(order))
        pieces = np.split(places, np.cumsum([x.shape[axis] for x in inputs])[:-1], axis)
        for x, piece in zip(inputs, pieces):
            walk = np.argsort(piece.ravel())
            self._copy(place, operator, x, x.places.ravel()[walk], y, piece.ravel()[walk])
        return y.view(name, places)

    def max_pool(self, place: str, operator: str, name: str, x: Tensor, window: Window) -> Tensor:
        """The largest value of each window of `x` [1, channels, (height,) width]."""
        x = self.channels_last(place, x)
        y = Tensor(name, (*window.output2, x.shape[-1]), x.low, x.high)
        self.layer(
            place, operator, "ms_max_pool", [x], y, {"outer": 1, "inner": x.shape[-1], **window.sizes(dilated=False)}
        )
        return self._channels_first(y, window.output)

    def pair(
        self, place: str, operator: str, kernel: str, name: str, x: Tensor, w: Tensor, low: int, high: int
    ) -> Tensor:
        """An operation element by element, with broadcasting; the result lies in memory as the larger operand does."""
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
        starts = [self._from(t, int(s[order[0]])) for t, s in ((x, xs), (w, ws))]
        layer = self.layer(place, operator, kernel, starts, y, {"size": size, "x_step": x_step, "w_step": w_step})
        layer.accumulator = accumulator_type(min(low, x.low, w.low), max(high, x.high, w.high), f"{place}: its result")
        layer.remark = f"results within {low}..{high}"
        places = np.empty(len(order), np.int64)
        places[order] = np.arange(len(order))
        return y.view(name, places.reshape(shape))

    def _from(self, t: Tensor, first: int) -> Tensor:
        """`t` read from place `first` on."""
        if t.data is None:
            return t.root.view(t.name, np.array([first]))
        return t if first == 0 else Tensor(t.name, (t.size - first,), t.low, t.high, t.data.ravel()[first:])

    def add(self, place: str, operator: str, name: str, x: Tensor, w: Tensor) -> Tensor:
        return self.pair(place, operator, "ms_add", name, x, w, x.low + w.low, x.high + w.high)

    def mul(self, place: str, operator: str, name: str, x: Tensor, w: Tensor) -> Tensor:
        corners = [a * b for a in (x.low, x.high) for b in (w.low, w.high)]
        return self.pair(place, operator, "ms_mul", name, x, w, min(corners), max(corners))

    def search(self, place: str, operator: str, name: str, x: Tensor, rows: np.ndarray, search: Search) -> Tensor:
        """`search` of every value of `x`; `rows` of x's shape says which row of thresholds an element takes."""
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
        return self._as(x, y, order)

    def line(
        self, place: str, operator: str, name: str, x: Tensor, rows: np.ndarray, stage: MultiplyAddShift | Wide
    ) -> Tensor:
        """The multiply-add-shift `stage` of every value of `x`; `rows` of x's shape says which row an element takes."""
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
        return self._as(x, y, order)

    def table(self, place: str, operator: str, name: str, x: Tensor, table: np.ndarray, low: int) -> Tensor:
        """table[value - low] of every value of `x`."""
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
        return self._as(x, y, order)

    def softmax(self, place: str, operator: str, name: str, x: Tensor, exponentials: np.ndarray, bits: int) -> Tensor:
        """Fractions of each row along the last axis of `x`; `exponentials` by the difference to the row's largest."""
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

    def _memory_order(self, place: str, x: Tensor) -> tuple[Tensor, np.ndarray]:
        """`x` without gaps in memory, and its elements (of the graph's order) in the order of memory."""
        order = np.argsort(x.places.ravel(), kind="stable")
        sorted_places = x.places.ravel()[order]
        if not np.array_equal(sorted_places, np.arange(sorted_places[0], sorted_places[0] + len(order))):
            x = self.packed(place, x, x.places)
            order = np.arange(x.size)
        return x, order

    def _as(self, x: Tensor, y: Tensor, order: np.ndarray) -> Tensor:
        places = np.empty(len(order), np.int64)
        places[order] = np.arange(len(order))
        return y.view(y.name, places.reshape(x.shape))

    def top(self, place: str, operator: str, name: str, x: Tensor, axis: int, keep: int, last: int = 0) -> Tensor:
        """Places along `axis` of the `keep` largest values, the lowest place first among equals, or the highest (`last`)."""
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

    def taken(self, place: str, operator: str, name: str, x: Tensor, at: Tensor, axis: int) -> Tensor:
        """The values of the dense `x` at places `at` along `axis`."""
        y = Tensor(name, at.shape, x.low, x.high)
        shape = {
            "outer": prod(x.shape[:axis]),
            "count": x.shape[axis],
            "inner": prod(x.shape[axis + 1 :]),
            "keep": at.shape[axis],
        }
        self.layer(place, operator, "ms_take", [x, at], y, shape)
        return y

    def layer(self, place, operator, kernel, inputs, output, shape, accumulator="", remark="") -> KernelCall:
        """Append one kernel call that fills `output`."""
        name = place.removeprefix("Node ").split(" ")[0]
        self.part.layers.append(KernelCall(name, operator, kernel, inputs, output, shape, accumulator, remark))
        return self.part.layers[-1]


def _steps(x: Tensor) -> list[int]:
    places = x.places
    return [int(places.take(1, a).flat[0] - places.flat[0]) if n > 1 else 0 for a, n in enumerate(x.shape)]
