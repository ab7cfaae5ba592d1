"""Append calls of the machine, and prove the range of each result; every lowering builds with it.

Every tensor is one row (batch 1). `Builder.place` begins every error sentence: whoever lowers a node sets it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from math import prod

import numpy as np

from microstage.errors import ModelError
from microstage_rtl.program.call import Call, HeldTensor, HeldWords
from microstage_rtl.program.program import HELD
from microstage_rtl.program.requantisation import Requantisation, raw
from microstage_rtl.read.walks import pieces, walk
from microstage_rtl.read.windows import WindowsOf

__all__ = ["Builder", "Sums"]

_ONE = (1, 0)
_PIECES = 256
"Calls that one copy may take."


class Sums:
    """The exact results of a call that is not appended yet: low..high [shape], an offset for each channel, a factor.

    `shape` is as they will lie in memory, channels last; `order` are its axes as the graph has them.
    """

    def __init__(self, call: Call, low: np.ndarray, high: np.ndarray, order: tuple[int, ...] = ()) -> None:
        self.call, self.shape, self.low, self.high = call, low.shape, low, high
        self.order = order or tuple(range(low.ndim))
        self.offset, self.factor = np.zeros(1, np.int64), 1

    @property
    def seen(self) -> tuple[int, ...]:
        """Return the shape as the graph has it."""
        return tuple(self.shape[axis] for axis in self.order)

    def turned(self, shape: tuple[int, ...], order: tuple[int, ...]) -> Sums:
        """Return the same results in memory as `shape`, the channels last as before, and in another order of axes."""
        self.low, self.high = (end.reshape(shape) for end in (self.low, self.high))
        self.shape, self.order = shape, order
        return self


class Builder:
    """`calls` in the order in which the machine runs them."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.place = "The network"

    # -- results ------------------------------------------------------------------------------------------------------

    def store(self, sums: Sums, stage: Requantisation, low: np.ndarray, high: np.ndarray) -> HeldTensor:
        """Append the call of `sums` with its requantisation; return its results, which lie in low..high.

        `low` and `high` are as the results lie; what is returned is in the graph's order.
        """
        y = self.tensor(sums.call.name, sums.shape, low, high)
        sums.call.y, sums.call.stage = y, stage
        self.calls.append(sums.call)
        return y.moved(lambda array: array.transpose(sums.order))

    def stored(self, sums: Sums) -> HeldTensor:
        """Append the call of `sums` as they are, with their offset and factor."""
        stage = raw(int(sums.low.min()), int(sums.high.max()), sums.offset, sums.factor)
        return self.store(sums, stage, sums.low, sums.high)

    def tensor(self, name: str, shape: tuple[int, ...], low, high) -> HeldTensor:
        """Return integers in a buffer of their own."""
        return HeldTensor.in_order(HeldWords(name, prod(shape)), shape, low, high)

    # -- products and windows -----------------------------------------------------------------------------------------

    def product(self, name: str, x: HeldTensor | WindowsOf, weights: np.ndarray, bias: np.ndarray) -> Sums:
        """Multiply the last axis of `x`, or each of its windows, by `weights` int64 [integers, filters]; add `bias`."""
        view = x if isinstance(x, WindowsOf) else WindowsOf.rows(self.in_order(x))
        depth, filters = weights.shape
        if view.depth != depth:
            raise ModelError(f"{self.place} multiplies {view.depth} integers by weights for {depth}.")
        low, high = view.ends_of_products(weights)
        if view.is_depthwise(weights):
            rows, groups, taps = view.own_channel(weights), (view.channels, 1), view.taps(1)
        else:
            rows, groups, taps = weights.T, _ONE, view.taps(view.channels)
        loops = (*view.positions, groups, *taps)
        sums = self._sums(name, "macs", view.x, loops, (*view.output, filters), low, high)
        sums.call.weights = np.ascontiguousarray(rows)
        self.add_constant(sums, bias)
        return sums

    def pool(self, name: str, x: WindowsOf) -> Sums:
        """Take the largest of each window channel by channel."""
        low, high = x.channel_ends()
        shape = (*x.output, x.channels)
        return self._sums(name, "largest", x.x, (*x.positions, (x.channels, 1), *x.taps(1)), shape, low, high)

    def largest(self, name: str, x: HeldTensor, kind: str) -> Sums:
        """Take the `largest` along the last axis, or its `place`; the lowest one among equals."""
        x, depth = self.in_order(x), x.shape[-1]
        loops = (_ONE, _ONE, (x.size // depth, depth), _ONE, _ONE, (depth, 1))
        shape = (*x.shape[:-1], 1)
        if kind == "largest":
            return self._sums(name, kind, x, loops, shape, *(v.max(axis=-1, keepdims=True) for v in (x.low, x.high)))
        sums = self._sums(name, kind, x, loops, shape, np.int64(0), np.int64(depth - 1))
        sums.call.sums = min(0, x.ends[0]), max(depth - 1, x.ends[1])
        return sums

    # -- one element of each operand ----------------------------------------------------------------------------------

    def each(self, name: str, x: HeldTensor, axis: int | None = None) -> Sums:
        """Take each integer of `x`, as it lies, or with the channels of `axis` last."""
        order = x.axes_as_they_lie
        if axis is not None:
            order = (*(place for place in order if place != axis), axis)
        return self.walked(name, x.moved(lambda array: array.transpose(order)), _inverse(order))

    def walked(self, name: str, x: HeldTensor, order: Sequence[int] = ()) -> Sums:
        """Take each integer of `x` in row-major order."""
        loops = walk(x.places)
        if loops is None:
            x, loops = self.in_order(x), (_ONE, _ONE, (x.size, 1))
        return self._sums(name, "sum", x, (*loops, _ONE, _ONE, _ONE), x.shape, x.low, x.high, order)

    def pair(self, name: str, x: HeldTensor, w: HeldTensor, kind: str) -> Sums:
        """Join each integer of `x` with the one of `w` at its place, with broadcasting."""
        try:
            shape = tuple(np.broadcast_shapes(x.shape, w.shape))
        except ValueError:
            raise ModelError(f"{self.place} joins shapes {x.shape} and {w.shape}, which do not broadcast.") from None
        order = (x if x.shape == shape else w).axes_as_they_lie if shape in (x.shape, w.shape) else range(len(shape))
        x, w = (t.moved(lambda array: np.broadcast_to(array, shape).transpose(order)) for t in (x, w))
        loops = walk(x.places)
        if loops is None or loops[:-1] != (_ONE, _ONE) or np.ptp(w.places - x.places):
            x, w = self.in_order(x), self.in_order(w)
            loops = _ONE, _ONE, (x.size, 1)
        loops = (_ONE, _ONE, loops[-1], _ONE, _ONE, (2, 0))
        low, high = _pair_ends(kind, x, w)
        sums = self._sums(name, kind, x, loops, x.shape, low, high, _inverse(order))
        sums.call.other = w
        return sums

    def in_order(self, x: HeldTensor) -> HeldTensor:
        """Return `x` in row-major order: a copy, where it lies otherwise."""
        if x.is_in_order:
            return x
        y = self.tensor(f"{x.buffer.name}_in_order", x.shape, x.low, x.high)
        parts = list(islice(pieces(x.places), _PIECES + 1))
        if len(parts) > _PIECES:
            raise ModelError(f"{self.place} takes integers in an order that needs more than {_PIECES} copies.")
        for first, length in parts:
            self.put(y.buffer.name, x.part(first, (length,)), y.part(first, (length,)))
        return y

    def put(self, name: str, x: HeldTensor, y: HeldTensor, length: int = 0, row: int = 0) -> None:
        """Copy `x` to where `y` begins: `length` integers, then the next as many `row` words further on."""
        call = self.walked(name, x).call
        length = length or x.size
        call.y, call.channels, call.row, call.stage = y, length, row or length, raw(*x.ends)
        self.calls.append(call)

    def fill(self, name: str, y: HeldTensor, on_start: bool = False, value: int = 0) -> None:
        """Store `value` everywhere in `y`."""
        call = self.each(name, y).call
        call.y, call.on_start, call.stage = y, on_start, raw(value, value, value, 0)
        self.calls.append(call)

    def padded(self, name: str, x: HeldTensor, around: Sequence[tuple[int, int]], value: int = 0) -> HeldTensor:
        """Return `x` with so many integers of `value` before and behind it along each axis.

        One copy pads the last of these axes, and those that nothing but axes of one element lies before.
        """
        padded = [axis for axis, amounts in enumerate(around) if any(amounts)]
        if not padded:
            return x
        last = padded[-1]
        now = [axis for axis in padded if axis == last or prod(x.shape[:axis]) == 1]
        this = [amounts if axis in now else (0, 0) for axis, amounts in enumerate(around)]
        low, high = (np.pad(end, this, constant_values=value) for end in (x.low, x.high))
        y = self.tensor(f"{name}_padded", low.shape, low, high)
        self.fill(f"{name}_border", y, value=value)
        inner = prod(x.shape[last + 1 :])
        start = sum(this[axis][0] * prod(y.shape[axis + 1 :]) for axis in now)
        self.put(f"{name}_inside", x, y.part(start, (1,)), x.shape[last] * inner, y.shape[last] * inner)
        rest = [(0, 0) if axis in now else amounts for axis, amounts in enumerate(around)]
        return self.padded(name, y, rest, value)

    # -- constants ----------------------------------------------------------------------------------------------------

    def add_constant(self, sums: Sums, bias: np.ndarray) -> None:
        """Add `bias`, one number or one for each channel, to what `sums` become."""
        sums.offset = sums.offset + bias
        sums.low, sums.high = sums.low + bias, sums.high + bias

    def multiply_constant(self, sums: Sums, factor: np.ndarray) -> None:
        """Multiply what `sums` become by `factor`, one number or one for each channel."""
        sums.offset, sums.factor = sums.offset * factor, sums.factor * factor
        ends = sums.low * factor, sums.high * factor
        sums.low, sums.high = np.minimum(*ends), np.maximum(*ends)

    def _sums(self, name, kind, x, loops, shape, low, high, order=()) -> Sums:
        """Return results [shape] within low..high of one loop nest over `x`."""
        low, high = (np.broadcast_to(np.asarray(end, np.int64), shape) for end in (low, high))
        ends = int(low.min()), int(high.max())
        call = Call(name, kind, x, tuple(loops), None, shape[-1], shape[-1], raw(*ends), ends)
        return Sums(call, low, high, tuple(order))


def _inverse(order: Sequence[int]) -> tuple[int, ...]:
    return tuple(int(axis) for axis in np.argsort(order))


def _pair_ends(kind: str, x: HeldTensor, w: HeldTensor) -> tuple[np.ndarray, np.ndarray]:
    if kind == "difference":
        return x.low - w.high, x.high - w.low
    if kind == "rescale":
        most = np.full(x.shape, HELD)
        return -most, most
    plain = {"sum": np.add, "product": np.multiply, "largest": np.maximum, "smallest": np.minimum}[kind]
    corners = np.stack([plain(a, b) for a in (x.low, x.high) for b in (w.low, w.high)])
    return corners.min(axis=0), corners.max(axis=0)
