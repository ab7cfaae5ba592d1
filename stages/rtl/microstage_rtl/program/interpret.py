"""Run the program in NumPy, word by word as the machine's memories hold them, over many frames at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from microstage.errors import VerificationError
from microstage.signals.settle import rescaled
from microstage_rtl.program.program import HELD, MachineLayer, MachineProgram

__all__ = ["RunningMachine"]

_AT_ONCE = 1 << 22
"Integers that are gathered at once."


class RunningMachine:
    """The memories of `count` machines side by side."""

    def __init__(self, program: MachineProgram, count: int) -> None:
        self.program, self.count = program, count
        self.memory = np.zeros((count, program.words), np.int64)
        self.fresh = True

    def frame(self, beats: np.ndarray, starts: bool = False, seen: Callable[[int], None] | None = None) -> np.ndarray:
        """Run one frame, int64 [count, beats]; return what is sent, [count, beats]. `seen` is told of each layer."""
        starts, self.fresh = starts or self.fresh, False
        sent: list[np.ndarray] = []
        for index, layer in enumerate(self.program.layers):
            if layer.kind == "input":
                self.memory[:, layer.write : layer.write + layer.channels] = beats
            elif starts or not layer.on_start:
                self._run(layer, sent)
            if seen is not None:
                seen(index)
        return np.concatenate(sent, axis=1)

    def tensor(self, name: str) -> np.ndarray:
        """Return a tensor of the graphs as it lies in memory now, [count, ...]."""
        _, words = self.program.places[name]
        return self.memory[:, words.reshape(words.shape[1:])]

    def _run(self, layer: MachineLayer, sent: list[np.ndarray]) -> None:
        sums = np.concatenate([self._sums(layer, rows) for rows in _chunks(layer, self.count)], axis=1)
        results = sums.shape[1]
        channel = np.arange(results) % layer.channels
        value = self._value(layer, sums, channel)
        if layer.to_stream:
            sent.append(value)
        else:
            self.memory[:, layer.write + np.arange(results) // layer.channels * layer.row + channel] = value

    def _sums(self, layer: MachineLayer, outer: Iterable[int]) -> np.ndarray:
        """Return the results [count, ...] before requantisation, of these turns of the outermost loop."""
        axes = [np.asarray(list(outer)), *map(np.arange, layer.counts[1:])]
        alike = layer.kind == "macs" and not layer.strides[2]  # all groups of filters see the same integers
        axes[2] = axes[2][:1] if alike else axes[2]
        places = layer.read + sum(
            (axis * stride).reshape([-1 if i == j else 1 for j in range(6)])
            for i, (axis, stride) in enumerate(zip(axes, layer.strides))
        )
        x = self.memory[:, places.reshape(len(axes[0]) * layer.counts[1], len(axes[2]), layer.depth)]
        if layer.kind != "macs":
            return _element(layer.kind, x).reshape(self.count, -1)
        groups, lanes = layer.counts[2], 1 if layer.single else self.program.lanes
        rows = self.program.weights[layer.weight : layer.weight + groups * layer.depth, :lanes]
        exact = _exact(self.program)
        weights = rows.reshape(groups, layer.depth, lanes).astype(exact)
        if alike:
            found = x[:, :, 0].astype(exact) @ weights.transpose(1, 0, 2).reshape(layer.depth, groups * lanes)
        else:
            found = np.stack([x[:, :, g].astype(exact) @ weights[g] for g in range(groups)], axis=2)
        found = found.reshape(self.count, -1, groups * lanes)[..., : layer.channels]
        return found.astype(np.int64).reshape(self.count, -1)

    def _value(self, layer: MachineLayer, sums: np.ndarray, channel: np.ndarray) -> np.ndarray:
        """Return the integers for sums [count, results], which must lie where the machine has room for them."""
        program = self.program
        _within(layer, sums, program.sums)
        rows = layer.constants + channel * layer.constants_step
        value = sums * program.multipliers[rows] + program.offsets[rows]
        _within(layer, value, program.products)
        if not layer.halvings:
            return self._line(layer, value)
        found = np.zeros_like(value)
        for first in np.unique(layer.table + channel * layer.table_step):
            here = layer.table + channel * layer.table_step == first
            table = program.thresholds[first : first + (1 << layer.halvings) - 1]
            found[:, here] = np.searchsorted(table, value[:, here], side="right")
        return layer.low + found

    def _line(self, layer: MachineLayer, value: np.ndarray) -> np.ndarray:
        """Return the integers of a line, or of the table behind it."""
        level = value >> layer.shift
        if layer.even:
            level = level - ((value & (1 << layer.shift) - 1 == 0) & level)
        level = np.clip(level, layer.low, layer.high)
        return self.program.values[layer.table + level] if layer.looks_up else level


def _chunks(layer: MachineLayer, count: int) -> Iterable[range]:
    each = max(1, _AT_ONCE // max(1, count * int(np.prod(layer.counts[1:]))))
    return [range(first, min(layer.counts[0], first + each)) for first in range(0, layer.counts[0], each)]


def _element(kind: str, x: np.ndarray) -> np.ndarray:
    """Return one result of each [..., depth]."""
    if kind == "difference":
        return x[..., 0] - x[..., 1:].sum(axis=-1)
    if kind == "rescale":
        return np.clip(rescaled(x[..., 0], x[..., 1]), -HELD, HELD)
    plain = {"sum": np.sum, "product": np.prod, "largest": np.max, "smallest": np.min, "place": np.argmax}
    return plain[kind](x, axis=-1)


def _exact(program: MachineProgram) -> type:
    """Return the floating-point type that holds every sum of products on the way exactly."""
    x, w = max(map(abs, program.operands)), int(np.abs(program.weights).max(initial=0))
    deepest = max(layer.depth for layer in program.layers if layer.kind == "macs")
    return np.float32 if x * w * deepest < 1 << 24 else np.float64


def _within(layer: MachineLayer, found: np.ndarray, ends: tuple[int, int]) -> None:
    if found.min() < ends[0] or found.max() > ends[1]:
        raise VerificationError(
            f"MachineLayer {layer.name} computes {found.min()}..{found.max()}, beyond the proven {ends[0]}..{ends[1]}."
        )
