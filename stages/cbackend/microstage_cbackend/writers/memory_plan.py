"""Lay buffers out in the arena: those that are not alive together share memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from microstage_cbackend.program.ir import Part, Tensor, bits_of

__all__ = ["Buffer", "MemoryPlan", "plan_memory"]

_ALIGNMENT = 8
_TRIES = 400


@dataclass(eq=False)
class Buffer:
    """Describe `bytes` of memory that layers `first` to `last` use, both included."""

    bytes: int
    first: int
    last: int
    offset: int = 0

    def meets(self, other: Buffer) -> bool:
        """Tell whether both are alive in one layer."""
        return self.first <= other.last and other.first <= self.last


@dataclass
class MemoryPlan:
    """Hold the offsets of all buffers of one part; `size` is reached, `bound` is what the busiest layer needs."""

    buffers: dict[Tensor, Buffer] = field(default_factory=dict)
    "Memory by tensor that a layer writes; outputs lie with the caller."
    scratch: dict[int, Buffer] = field(default_factory=dict)
    "Working memory by number of the layer."
    size: int = 0
    bound: int = 0


def plan_memory(part: Part) -> MemoryPlan:
    """Return the smallest of a few first-fit plans; offsets are multiples of 8 bytes."""
    plan = MemoryPlan()
    for tensor in dict.fromkeys(layer.output.root for layer in part.layers):
        if tensor in part.outputs:
            continue
        uses = [
            i for i, layer in enumerate(part.layers) if tensor in (layer.output.root, *(t.root for t in layer.inputs))
        ]
        plan.buffers[tensor] = Buffer(_aligned(tensor.bytes), uses[0], uses[-1])
    for number, layer in enumerate(part.layers):
        if layer.working:
            ctype, count = layer.working
            plan.scratch[number] = Buffer(_aligned(count * bits_of(ctype) // 8), number, number)
    every = [*plan.buffers.values(), *plan.scratch.values()]
    plan.bound = max(
        (sum(b.bytes for b in every if b.first <= i <= b.last) for i in range(len(part.layers))), default=0
    )
    orders = [
        lambda b: (-b.bytes, b.first),
        lambda b: (b.first, -b.bytes),
        lambda b: (b.first - b.last, -b.bytes),
        lambda b: (-b.last, -b.bytes),
    ]
    sequences = [sorted(every, key=order) for order in orders]
    best = min((_first_fit(sequence) for sequence in sequences), key=lambda p: p[0])
    best = _shuffled(sequences[0], best, plan.bound)
    plan.size = best[0]
    for buffer, offset in best[1].items():
        buffer.offset = offset
    return plan


def _shuffled(sequence: list[Buffer], best: tuple[int, dict[Buffer, int]], bound: int) -> tuple[int, dict[Buffer, int]]:
    """Return the best of first-fit plans in drawn orders, each a few exchanges away from the best order so far."""
    random, order = Random(0), list(sequence)
    for _ in range(_TRIES if len(sequence) > 2 else 0):
        if best[0] <= bound:
            break
        other = list(order)
        for _ in range(random.randint(1, 3)):
            i, j = random.sample(range(len(other)), 2)
            other[i], other[j] = other[j], other[i]
        found = _first_fit(other)
        if found[0] <= best[0]:
            best, order = found, other
    return best


def _first_fit(buffers: list[Buffer]) -> tuple[int, dict[Buffer, int]]:
    """Put each buffer at the lowest offset that no buffer alive with it uses; return the size reached and offsets."""
    placed: dict[Buffer, int] = {}
    for buffer in buffers:
        offset = 0
        for other, start in sorted(((o, s) for o, s in placed.items() if o.meets(buffer)), key=lambda pair: pair[1]):
            if offset + buffer.bytes <= start:
                break
            offset = max(offset, start + other.bytes)
        placed[buffer] = offset
    return max((s + b.bytes for b, s in placed.items()), default=0), placed


def _aligned(count: int) -> int:
    return -(-count // _ALIGNMENT) * _ALIGNMENT
