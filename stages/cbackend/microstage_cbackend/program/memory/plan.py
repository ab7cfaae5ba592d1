"""Plan the memory of a part: its tensors, the working memory of its layers, and a place for its inputs."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from microstage_cbackend.program.ir import KernelCall, Part, Tensor, bits_of
from microstage_cbackend.program.memory.fitting import Fitting
from microstage_cbackend.program.memory.lives import Buffer, after, before, moment
from microstage_cbackend.program.memory.orders import Order, orders_of

__all__ = ["MemoryPlan", "plan_memory"]


@dataclass
class MemoryPlan:
    """Hold the offsets of all buffers of one part; `size` is reached, `bound` is what the busiest layer needs."""

    buffers: dict[Tensor, Buffer] = field(default_factory=dict)
    "Memory by tensor that a layer writes; outputs lie with the caller."
    scratch: dict[int, Buffer] = field(default_factory=dict)
    "Working memory by number of the layer."
    inputs: dict[Tensor, Buffer] = field(default_factory=dict)
    "Places by input, for callers who have it in the arena; they may end behind `size`."
    size: int = 0
    bound: int = 0


def plan_memory(part: Part) -> MemoryPlan:
    """Return the smallest of some plans in which no byte is written that is still to be read."""
    orders = orders_of(part.layers)
    plan = MemoryPlan()
    for tensor in dict.fromkeys(layer.output.root for layer in part.layers):
        if tensor not in part.outputs:
            plan.buffers[tensor] = _buffer(part, orders, tensor)
    for number, layer in enumerate(part.layers):
        if layer.working:
            ctype, count = layer.working
            plan.scratch[number] = Buffer(count * bits_of(ctype) // 8, number, number)
    plan.inputs = {t: _buffer(part, orders, t) for t in part.inputs if part.readers(t)}
    fitting = Fitting([*plan.buffers.values(), *plan.scratch.values()], [*plan.inputs.values()])
    for buffer, offset in fitting.places.items():
        buffer.offset = offset
    plan.size, plan.bound = fitting.size(fitting.places), fitting.bound
    return plan


def _buffer(part: Part, orders: list[Order | None], tensor: Tensor) -> Buffer:
    """Return the memory of `tensor`, and when each of its bytes is needed."""
    uses = [i for i, layer in enumerate(part.layers) if _writes(layer, tensor) or _reads(layer, tensor)]
    first, last = -1 if tensor in part.inputs else uses[0], uses[-1]
    times = {}
    if first < last:
        if first >= 0 and (order := orders[first]):
            times["born"] = _born(part.layers[first], order, first, tensor)
        if order := orders[last]:
            times["dies"] = _dies(part.layers[last], order, last, tensor)
    return Buffer(tensor.bytes, first, last, **times)


def _born(layer: KernelCall, order: Order, number: int, tensor: Tensor) -> np.ndarray:
    """Return when `layer`, the first to use `tensor`, writes each byte; what it does not write is written later."""
    times = np.full((len(order.writes), tensor.bytes), after(number))
    times[:, _span(layer.output, order.writes)] = moment(number, order.writes)
    return times


def _dies(layer: KernelCall, order: Order, number: int, tensor: Tensor) -> np.ndarray:
    """Return when `layer`, the last to use `tensor`, reads each byte; what it does not read was read before."""
    walks = max(len(steps) for steps in order.reads)
    times = np.full((walks, tensor.bytes), after(number) if _writes(layer, tensor) else before(number))
    for view, steps in zip((t for t in layer.inputs if t.data is None), order.reads):
        if view.root is tensor:
            span = _span(view, steps)
            times[:, span] = np.maximum(times[:, span], moment(number, steps))
    return times


def _span(view: Tensor, steps: np.ndarray) -> slice:
    """Return the bytes of its root's memory, from the start of a view on, that have `steps` [walks][bytes]."""
    first = view.start * bits_of(view.ctype) // 8
    return slice(first, first + steps.shape[1])


def _writes(layer: KernelCall, tensor: Tensor) -> bool:
    return layer.output.root is tensor


def _reads(layer: KernelCall, tensor: Tensor) -> bool:
    return any(t.root is tensor for t in layer.inputs)
