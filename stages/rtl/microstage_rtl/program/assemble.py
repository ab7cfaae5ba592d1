"""Assemble calls to a program: places in memory, packed weights, rows of constants and of thresholds, shifts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from microstage.errors import ModelError
from microstage_rtl.program.call import Call, HeldTensor
from microstage_rtl.program.memory import placed
from microstage_rtl.program.program import MachineLayer, MachineProgram, StreamPort
from microstage_rtl.program.requantisation import MULTIPLIER_BITS, Requantisation
from microstage_rtl.read.network import RtlNetwork

__all__ = ["MOST_SHIFTS", "assemble"]

MOST_SHIFTS = 16
_BITS = 63


def assemble(network: RtlNetwork, lanes: int) -> MachineProgram:
    """Return the program of `network` for so many lanes."""
    calls = network.calls
    stages = _few_shifts([call.stage for call in calls])
    where = placed(calls)
    memories = _Memories(lanes)
    layers = [memories.layer(call, stage, where) for call, stage in zip(calls, stages)]
    products = [(int(v.min()), int(v.max())) for call, stage in zip(calls, stages) for v in [_products(call, stage)]]
    searched = [high for stage, (_, high) in zip(stages, products) if stage.steps]
    macs = [call.x.ends for call in calls if call.kind == "macs"]
    return MachineProgram(
        layers,
        lanes,
        max(where[buffer] + buffer.size for buffer in where),
        memories.weights.array(),
        memories.constants.array()[:, 0],
        memories.constants.array()[:, 1],
        memories.thresholds(max(searched, default=0)),
        memories.values.array()[:, 0],
        [_port(n, t) for n, t in network.inputs.items()],
        [_port(n, t) for n, t in network.outputs.items()],
        _hull([call.sums for call in calls]),
        _hull(products),
        _hull([stage.ends for stage in stages] + [t.ends for t in network.inputs.values()]),
        _hull(macs or [(0, 0)]),
        {n: (_completed(calls, t), where[t.buffer] + t.places) for n, t in network.tensors.items()},
        network.states,
    )


def _port(name: str, tensor: HeldTensor) -> StreamPort:
    return StreamPort(name, tensor.shape, *tensor.ends)


def _completed(calls: list[Call], tensor: HeldTensor) -> int:
    """Return the call that writes the last of `tensor`."""
    return max(i for i, call in enumerate(calls) if call.y is not None and call.y.buffer is tensor.buffer)


def _hull(ends: list[tuple[int, int]]) -> tuple[int, int]:
    return min(low for low, _ in ends), max(high for _, high in ends)


def _products(call: Call, stage: Requantisation) -> np.ndarray:
    """Return the ends of what the multiplier and the offset make of the results of a call."""
    most = max(map(abs, call.sums)) * int(np.abs(stage.multiplier).max()) + int(np.abs(stage.offset).max())
    if most.bit_length() >= _BITS:
        raise ModelError(
            f"{call.name} computes integers of {most.bit_length()} bits; the machine has fewer than {_BITS}."
        )
    ends = [end * stage.multiplier + stage.offset for end in call.sums]
    return np.concatenate([np.broadcast_arrays(*ends)[i].ravel() for i in (0, 1)])


class _Rows:
    """Rows of a read-only memory, of which equal blocks are held once."""

    def __init__(self, width: int) -> None:
        self.width, self.count = width, 0
        self.blocks: list[np.ndarray] = []
        self.known: dict[tuple, int] = {}

    def place(self, block: np.ndarray, align: int = 1) -> int:
        """Return the first row of `block` int64 [rows, width], at a multiple of `align`."""
        key = block.shape, align, block.tobytes()
        if key not in self.known:
            gap = -self.count % align
            self.blocks += [np.zeros((gap, self.width), np.int64), block]
            self.known[key] = self.count + gap
            self.count += gap + len(block)
        return self.known[key]

    def array(self) -> np.ndarray:
        """Return all rows, at least one."""
        return np.concatenate(self.blocks) if self.count else np.zeros((1, self.width), np.int64)


class _Memories:
    def __init__(self, lanes: int) -> None:
        self.lanes = lanes
        self.weights, self.constants, self.values = _Rows(lanes), _Rows(2), _Rows(1)
        self.tables: list[tuple[int, np.ndarray, int]] = []
        self.levels = 0

    def layer(self, call: Call, stage: Requantisation, where) -> MachineLayer:
        """Return `call` as the machine runs it, and put its constants into memories."""
        loops = list(call.loops)
        weight, single = 0, call.single
        if call.weights is not None:
            if not single:
                loops[2] = (-(-len(call.weights) // self.lanes), 0)
            weight = self.weights.place(self._packed(call.weights, single))
        if call.other is not None:
            start = (where[t.buffer] + t.start for t in (call.x, call.other))
            loops[5] = (2, -int(np.subtract(*start)))
        constants = np.stack(np.broadcast_arrays(stage.multiplier, stage.offset), axis=1)
        table, step = self._table(stage)
        y = call.y
        return MachineLayer(
            call.name,
            call.kind,
            tuple(count for count, _ in loops),
            tuple(stride for _, stride in loops),
            where[call.x.buffer] + call.x.start,
            weight,
            single,
            where[y.buffer] + y.start if y is not None else 0,
            call.channels,
            call.row,
            self.constants.place(np.ascontiguousarray(constants)),
            int(len(constants) > 1),
            table,
            step,
            stage.steps,
            stage.shift,
            stage.low,
            stage.high,
            stage.values is not None,
            stage.even,
            y is None,
            call.on_start,
            call.last,
        )

    def _packed(self, weights: np.ndarray, single: bool) -> np.ndarray:
        """Return the weights [filters, depth] as rows for the lanes: one activation after another, group by group."""
        filters, depth = weights.shape
        lanes = 1 if single else self.lanes
        groups = -(-filters // lanes)
        padded = np.zeros((groups * lanes, depth), np.int64)
        padded[:filters] = weights
        rows = padded.reshape(groups, lanes, depth).transpose(0, 2, 1).reshape(groups * depth, lanes)
        return np.ascontiguousarray(np.pad(rows, ((0, 0), (0, self.lanes - lanes))))

    def _table(self, stage: Requantisation) -> tuple[int, int]:
        """Return where the thresholds or values of `stage` begin and how far apart its rows are; 0 without any."""
        if stage.values is not None:
            return self.values.place(stage.values[:, None]) - stage.low, 0
        if stage.thresholds is None:
            return 0, 0
        size = 1 << stage.steps
        place = -(-self.levels // size) * size
        like = [(at, rows) for at, rows, steps in self.tables if steps == stage.steps]
        same = [at for at, rows in like if np.array_equal(rows, stage.thresholds)]
        if not same:
            self.tables.append((place, stage.thresholds, stage.steps))
            self.levels = place + size * len(stage.thresholds)
        return (same or [place])[0], size if len(stage.thresholds) > 1 else 0

    def thresholds(self, highest: int) -> np.ndarray:
        """Return the memory of all tables; what fills them up lies above every value that is searched for."""
        found = np.full(max(1, self.levels), highest + 1, np.int64)
        for place, rows, steps in self.tables:
            for index, row in enumerate(rows):
                first = place + (index << steps)
                found[first : first + len(row)] = np.minimum(row, highest + 1)
        return found


def _few_shifts(stages: list[Requantisation]) -> list[Requantisation]:
    """Return the same lines with as few shifts as multipliers of `MULTIPLIER_BITS` leave room for."""
    room = max(_bits(stage.multiplier) for stage in stages)
    ends = sorted({s.shift + room - _bits(s.multiplier) for s in stages if s.shift})
    chosen: list[int] = []
    for stage in sorted((s for s in stages if s.shift), key=lambda s: s.shift + room - _bits(s.multiplier)):
        most = stage.shift + room - _bits(stage.multiplier)
        if not any(stage.shift <= shift <= most for shift in chosen):
            chosen.append(most)
    found = []
    for stage in stages:
        fits = [c for c in chosen if stage.shift <= c <= stage.shift + room - _bits(stage.multiplier)]
        found.append(stage.raised_shift(min(fits) - stage.shift) if stage.shift else replace(stage))
    if len({stage.shift for stage in found}) > MOST_SHIFTS or room > MULTIPLIER_BITS or not ends and chosen:
        raise ModelError(f"The network needs more than {MOST_SHIFTS} different shifts; the machine has room for these.")
    return found


def _bits(row: np.ndarray) -> int:
    return int(np.abs(row).max()).bit_length() + 1
