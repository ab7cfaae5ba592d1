"""Append calls of the machine, and prove the range of each result; every lowering builds with it.

Every tensor is one row (batch 1) in row-major order. Methods take `place`, the beginning of every error sentence.
"""

from __future__ import annotations

from math import prod

import numpy as np

from microstage.errors import ModelError
from microstage_rtl.program.call import Call, HeldTensor, HeldWords
from microstage_rtl.program.program import HELD
from microstage_rtl.program.requantisation import Requantisation, raw
from microstage_rtl.read.windows import WindowsOf

__all__ = ["Builder", "Sums"]

_ONE = (1, 0)
_FURTHEST = 3
"Loops that a copy walks along."


class Sums:
    """The exact results of a call that is not appended yet: low..high [shape], an offset for each channel, a factor."""

    def __init__(self, call: Call, shape: tuple[int, ...], low: np.ndarray, high: np.ndarray) -> None:
        self.call, self.shape, self.low, self.high = call, shape, low, high
        self.offset, self.factor = np.zeros(1, np.int64), 1


class Builder:
    """`calls` in the order in which the machine runs them."""

    def __init__(self) -> None:
        self.calls: list[Call] = []

    # -- results ------------------------------------------------------------------------------------------------------

    def store(self, sums: Sums, stage: Requantisation, low: np.ndarray, high: np.ndarray) -> HeldTensor:
        """Append the call of `sums` with its requantisation; return its results, which lie in low..high."""
        y = self.tensor(sums.call.name, sums.shape, low, high)
        sums.call.y, sums.call.stage = y, stage
        self.calls.append(sums.call)
        return y

    def stored(self, sums: Sums) -> HeldTensor:
        """Append the call of `sums` as they are, with their offset and factor."""
        stage = raw(int(sums.low.min()), int(sums.high.max()), sums.offset, sums.factor)
        return self.store(sums, stage, sums.low, sums.high)

    def tensor(self, name: str, shape: tuple[int, ...], low: np.ndarray, high: np.ndarray) -> HeldTensor:
        """Return integers in a buffer of their own."""
        size = prod(shape)
        ends = (np.broadcast_to(np.asarray(end, np.int64), shape) for end in (low, high))
        return HeldTensor(HeldWords(name, size), shape, *ends)

    # -- products and windows -----------------------------------------------------------------------------------------

    def product(self, place: str, name: str, x: HeldTensor | WindowsOf, weights: np.ndarray, bias: np.ndarray) -> Sums:
        """Multiply the last axis of `x`, or each of its windows, by `weights` int64 [integers, filters]; add `bias`."""
        view = x if isinstance(x, WindowsOf) else WindowsOf.rows(x)
        depth, filters = weights.shape
        if view.depth != depth:
            raise ModelError(f"{place} multiplies {view.depth} integers by weights for {depth}.")
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

    def place_of_largest(self, name: str, x: HeldTensor) -> Sums:
        """Find the place of the largest along the last axis; the lowest one among equals."""
        depth = x.shape[-1]
        loops = (_ONE, _ONE, (x.size // depth, depth), _ONE, _ONE, (depth, 1))
        low, high = (np.full((*x.shape[:-1], 1), end, np.int64) for end in (0, depth - 1))
        sums = self._sums(name, "place", x, loops, (*x.shape[:-1], 1), low, high)
        sums.call.sums = min(0, x.ends[0]), max(depth - 1, x.ends[1])
        return sums

    # -- one element of each operand ----------------------------------------------------------------------------------

    def each(self, name: str, x: HeldTensor) -> Sums:
        """Take each integer of `x`."""
        return self._sums(name, "sum", x, (_ONE, _ONE, (x.size, 1), _ONE, _ONE, _ONE), x.shape, x.low, x.high)

    def pair(self, place: str, name: str, x: HeldTensor, w: HeldTensor, kind: str) -> Sums:
        """Join each integer of `x` with the one of `w` at its place, with broadcasting."""
        try:
            shape = tuple(np.broadcast_shapes(x.shape, w.shape))
        except ValueError:
            raise ModelError(f"{place} joins shapes {x.shape} and {w.shape}, which do not broadcast.") from None
        x, w = (self.spread(place, t, shape) for t in (x, w))
        low, high = _pair_ends(kind, x, w)
        sums = self._sums(name, kind, x, (_ONE, _ONE, (x.size, 1), _ONE, _ONE, (2, 0)), shape, low, high)
        sums.call.other = w
        return sums

    def spread(self, place: str, x: HeldTensor, shape: tuple[int, ...]) -> HeldTensor:
        """Return `x` broadcast to `shape`: a copy, where it is smaller."""
        if x.size == prod(shape):
            return x.seen_as(shape)
        places = np.broadcast_to(np.arange(x.size).reshape(x.shape), shape)
        return self.copied(place, f"{x.buffer.name}_spread", x, places)

    def copied(self, place: str, name: str, x: HeldTensor, places: np.ndarray) -> HeldTensor:
        """Return x.ravel()[places] as a copy; `places` int64 of any shape, regular along at most three axes."""
        loops = _walk(places)
        if loops is None:
            raise ModelError(f"{place} walks along more than {_FURTHEST} axes at once; split it into two nodes.")
        start = x.part(int(places.ravel()[0]), (1,))
        low, high = (end.reshape(-1)[places] for end in (x.low, x.high))
        sums = self._sums(name, "sum", start, (*loops, _ONE, _ONE, _ONE), places.shape, low, high)
        sums.call.x = HeldTensor(x.buffer, x.shape, x.low, x.high, start.offset)
        return self.stored(sums)

    def put(self, name: str, x: HeldTensor, y: HeldTensor, length: int = 0, row: int = 0) -> None:
        """Copy `x` to where `y` begins: `length` integers, then the next as many `row` words further on."""
        sums = self.each(name, x)
        length = length or x.size
        call = sums.call
        call.y, call.channels, call.row, call.stage = y, length, row or length, raw(*x.ends)
        self.calls.append(call)

    def fill(self, name: str, y: HeldTensor, on_start: bool = False) -> None:
        """Store 0 everywhere in `y`."""
        sums = self.each(name, y)
        call = sums.call
        call.y, call.on_start, call.stage = y, on_start, raw(0, 0, 0, 0)
        self.calls.append(call)

    def padded(self, name: str, x: HeldTensor, pads: list[int]) -> HeldTensor:
        """Return `x` [1, H, W, C] with zeros around it: `pads` rows above, columns left, rows below, columns right."""
        if not any(pads):
            return x
        top, left, bottom, right = pads
        _, height, width, channels = x.shape
        around = [(0, 0), (top, bottom), (left, right), (0, 0)]
        low, high = (np.pad(end, around) for end in (x.low, x.high))
        y = self.tensor(f"{name}_padded", low.shape, low, high)
        self.fill(f"{name}_border", y)
        row = y.shape[2] * channels
        inside = y.part((top * y.shape[2] + left) * channels, (1, channels))
        self.put(f"{name}_inside", x, inside, width * channels, row)
        return y

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

    def _sums(self, name, kind, x, loops, shape, low, high) -> Sums:
        """Return results [shape] within low..high of one loop nest over `x`."""
        low, high = (np.broadcast_to(np.asarray(end, np.int64), shape) for end in (low, high))
        ends = int(low.min()), int(high.max())
        call = Call(name, kind, x, tuple(loops), None, shape[-1], shape[-1], raw(*ends), ends)
        return Sums(call, shape, low, high)


def _pair_ends(kind: str, x: HeldTensor, w: HeldTensor) -> tuple[np.ndarray, np.ndarray]:
    if kind == "difference":
        return x.low - w.high, x.high - w.low
    if kind == "rescale":
        most = np.full(x.shape, HELD)
        return -most, most
    plain = {"sum": np.add, "product": np.multiply, "largest": np.maximum, "smallest": np.minimum}[kind]
    corners = np.stack([plain(a, b) for a in (x.low, x.high) for b in (w.low, w.high)])
    return corners.min(axis=0), corners.max(axis=0)


def _walk(places: np.ndarray) -> tuple[tuple[int, int], ...] | None:
    """Return three (count, stride) that walk along `places` in row-major order, None where there are no such."""
    loops: list[tuple[int, int]] = []
    for axis, count in enumerate(places.shape):
        if count == 1:
            continue
        along = np.moveaxis(places, axis, 0).reshape(count, -1)
        stride = int(along[1, 0] - along[0, 0])
        if loops and loops[-1][1] == stride * count:
            loops[-1] = (loops[-1][0] * count, stride)
        else:
            loops.append((count, stride))
    if len(loops) > _FURTHEST:
        return None
    walked = (
        sum(
            np.arange(count).reshape([-1 if i == axis else 1 for i in range(len(loops))]) * stride
            for axis, (count, stride) in enumerate(loops)
        )
        if loops
        else np.zeros(1, np.int64)
    )
    if not np.array_equal(np.ravel(walked) + places.ravel()[0], places.ravel()):
        return None
    return (*(_ONE,) * (_FURTHEST - len(loops)), *loops)
