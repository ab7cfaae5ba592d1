"""Read streamline's artefact as a whole network: its parts one after another, its states, its frames."""

from __future__ import annotations

import json
from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from microstage.errors import ArtefactError, ModelError, ParameterError
from microstage.interface.gain import EXPONENT, Gain
from microstage.interface.recurrence import Recurrence
from microstage.signals.settle import Settling
from microstage_rtl.program.call import Call, HeldTensor, HeldWords
from microstage_rtl.program.requantisation import raw
from microstage_rtl.read.builder import Builder
from microstage_rtl.read.graph import PartGraph
from microstage_rtl.read.settling import settled, within

__all__ = ["RtlNetwork", "read_network"]

_ONE = (1, 0)


@dataclass
class RtlNetwork:
    """The calls of one frame, and which tensors are the stream's.

    `inputs` and `outputs` by name in the order of the beats; `tensors`: every tensor of the graphs that lies in memory
    at some time, by name, which is what proofs look at; `states`: what stays from frame to frame.
    """

    calls: list[Call]
    inputs: dict[str, HeldTensor]
    outputs: dict[str, HeldTensor]
    tensors: dict[str, HeldTensor] = field(default_factory=dict)
    states: list[str] = field(default_factory=list)


def read_network(folder: Path, part: str = "", logits: bool = False) -> RtlNetwork:
    """Read the artefact in `folder`, or the one of its parts whose name begins with `part`.

    `logits`: what a closing softmax reads is the answer.
    """
    interface = json.loads((folder / "interface.json").read_text())
    sequence = Recurrence.read(interface)
    graphs = {n: PartGraph.read(n, folder / said["file"]) for n, said in interface["parts"].items()}
    if logits:
        graphs = {name: graph.without_softmax() for name, graph in graphs.items()}
    return _Reader(interface, graphs).read(_chosen(part, graphs), sequence)


def _chosen(part: str, graphs: Mapping[str, PartGraph]) -> str:
    found = [part] if part in graphs else [name for name in graphs if part and name.startswith(part)]
    if part and len(found) != 1:
        raise ParameterError(f"PART={part} is none of the network's parts; there are {', '.join(graphs)}.")
    return found[0] if found else ""


class _Reader:
    def __init__(self, interface: dict[str, Any], graphs: dict[str, PartGraph]) -> None:
        self.interface, self.graphs, self.builder = interface, graphs, Builder()
        self.network = RtlNetwork(self.builder.calls, {}, {})

    def read(self, part: str, sequence: Recurrence | None) -> RtlNetwork:
        if sequence is None and not part and len(self.graphs) != 1:
            raise ArtefactError(f"The parts {', '.join(self.graphs)} have no sequence that joins them; name PART=.")
        if sequence is None or part and part != sequence.cell:
            self._alone(part or next(iter(self.graphs)))
        elif part:
            self._cell_alone(sequence)
        elif sequence.carried:
            self._step(sequence)
        else:
            self._unrolled(sequence)
        return self._ended()

    # -- kinds of networks --------------------------------------------------------------------------------------------

    def _alone(self, part: str) -> None:
        """Run one graph, without a state."""
        frame = self._frame(self._shapes(part))
        self._outputs(part, self._lower(part, frame))

    def _cell_alone(self, sequence: Recurrence) -> None:
        """Run the cell once a frame; what comes in is a step, what goes out are the states."""
        shapes = self._shapes(sequence.cell)
        frame = self._frame({name: shapes[name] for name in sequence.steps})
        states = {name: self._state(name, sequence.cell, name) for name in sequence.states}
        self._fill(states)
        found = self._lower(sequence.cell, {**frame, **states})
        self._keep(states, {old: found[new] for old, new in sequence.states.items()})
        self._outputs(sequence.cell, found)

    def _step(self, sequence: Recurrence) -> None:
        """Run encoder, cell and head once a frame; all states stay inside."""
        settling = Settling.read(self.interface)
        taken = {**sequence.states, **sequence.carried}
        inside = {*taken, *sequence.steps, *sequence.last}
        made = {name for part in sequence.parts for name in self.graphs[part].outputs}
        shapes = {n: s for part in sequence.parts for n, s in self._shapes(part).items() if n not in inside | made}
        scaled = Gain.read(self.interface) is not None and settling is not None and bool(settling.tops)
        frame = self._frame(shapes | ({EXPONENT: (1, 1)} if scaled else {}))
        states = {old: self._state(old, *self._made(sequence, new)) for old, new in taken.items()}
        previous = self._pinned("previous_exponent", (1, 1), *self._range(EXPONENT)) if scaled else None
        self._fill(states | ({"previous_exponent": previous} if previous else {}))
        known = {**frame, **self._settled(sequence, settling, states, frame.get(EXPONENT), previous)}
        for part in sequence.parts:
            reads = sequence.steps if part == sequence.cell else {}
            reads = {n: sequence.states[of] for n, of in sequence.last.items()} if part == sequence.head else reads
            known |= self._lower(part, known | {n: known[s] for n, s in reads.items()})
        self._keep(states, {old: known[new] for old, new in taken.items()})
        if previous is not None:
            self.builder.put("keep_exponent", frame[EXPONENT], previous)
        for part in (p for p in sequence.parts if p != sequence.cell):
            self._outputs(part, known, set(sequence.steps.values()))

    def _unrolled(self, sequence: Recurrence) -> None:
        """Run the encoder once a frame, the cell as often as the sequence is long, from zero, and the head."""
        cell, length = sequence.cell, sequence.length
        around = [part for part in (sequence.encoder, sequence.head) if part]
        inside = {*sequence.last, *(n for part in around for n in self.graphs[part].outputs)}
        shapes = {n: s for part in around for n, s in self._shapes(part).items() if n not in inside}
        of_cell = self._shapes(cell)
        shapes |= {s: (1, length, *of_cell[n][1:]) for n, s in sequence.steps.items() if s not in inside | {*shapes}}
        frame = self._frame(shapes)
        known = frame | (self._lower(sequence.encoder, frame) if sequence.encoder else {})
        states = {name: self._state(name, cell, name) for name in sequence.states}
        self._fill(states, on_start=False)
        found: dict[str, HeldTensor] = {}
        for t in range(length):
            size = {name: int(np.prod(of_cell[name])) for name in sequence.steps}
            step = {n: known[s].part(t * size[n], of_cell[n]) for n, s in sequence.steps.items()}
            found = self._lower(cell, {**states, **step})
            self._keep(states, {old: found[new] for old, new in sequence.states.items()})
        last = {name: states[of] for name, of in sequence.last.items()}
        if sequence.head:
            known |= self._lower(sequence.head, known | last)
        self._outputs(sequence.head or cell, known | found)

    # -- pieces -------------------------------------------------------------------------------------------------------

    def _frame(self, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, HeldTensor]:
        """Append the call that takes a frame of all inputs, one after another; return them by name."""
        buffer = HeldWords("frame", int(sum(np.prod(shape) for shape in shapes.values())))
        first = 0
        for name, shape in shapes.items():
            low, high = self._range(name)
            self.network.inputs[name] = HeldTensor.in_order(buffer, shape, low, high, first)
            first += int(np.prod(shape))
        every = [t.ends for t in self.network.inputs.values()]
        ends = min(low for low, _ in every), max(high for _, high in every)
        frame = HeldTensor.in_order(buffer, (1, first), *ends)
        self.builder.calls.append(Call("frame", "input", frame, (_ONE,) * 6, frame, first, first, raw(*ends), ends))
        self.network.tensors.update(self.network.inputs)
        return dict(self.network.inputs)

    def _lower(self, part: str, known: Mapping[str, HeldTensor]) -> dict[str, HeldTensor]:
        """Append the calls of `part`; return its tensors by name."""
        taken = {name: known[name].seen_as(shape) for name, shape in self._shapes(part).items()}
        found = self.graphs[part].lower(self.builder, taken)
        self.network.tensors.update({name: t for name, t in found.items() if name not in taken})
        return found

    def _state(self, name: str, part: str, tensor: str) -> HeldTensor:
        """Return the state `name` of the range that `tensor` of `part` has."""
        return self._pinned(name, self._shape(name), *self._range(tensor, part))

    def _pinned(self, name: str, shape: tuple[int, ...], low: int, high: int) -> HeldTensor:
        self.network.states.append(name)
        buffer = HeldWords(f"state_{name}", int(np.prod(shape)), pinned=True)
        return HeldTensor.in_order(buffer, shape, min(low, 0), max(high, 0))

    def _fill(self, states: Mapping[str, HeldTensor], on_start: bool = True) -> None:
        for name, state in states.items():
            self.builder.fill(f"{name}_start", state, on_start)

    def _keep(self, states: Mapping[str, HeldTensor], found: Mapping[str, HeldTensor]) -> None:
        for name, state in states.items():
            self.builder.put(f"{name}_keep", found[name], state)

    def _settled(self, sequence, settling, states, exponent, previous) -> dict[str, HeldTensor]:
        """Return the states as the window takes them, in the ranges that the interface declares."""
        carried = {name: states[name] for name in sequence.carried}
        found = dict(states)
        if settling is not None and previous is not None:
            found |= settled(self.builder, settling, carried, exponent, previous)
        elif settling is not None and (settling.mean is not None or settling.tops):
            raise ModelError("States that settle without a gain's exponent are no network of this machine.")
        return {name: within(state, *self._range(name)) for name, state in found.items()}

    def _outputs(self, part: str, known: Mapping[str, HeldTensor], hidden: Container[str] = ()) -> None:
        for name in self.graphs[part].outputs:
            if name not in hidden:
                self.network.outputs[name] = known[name]

    def _ended(self) -> RtlNetwork:
        """Append the calls that send the outputs, one after another."""
        for name, tensor in self.network.outputs.items():
            sums = self.builder.walked(f"{name}_out", tensor)
            sums.call.stage = raw(*tensor.ends)
            self.builder.calls.append(sums.call)
        self.builder.calls[-1].last = True
        return self.network

    # -- the interface ------------------------------------------------------------------------------------------------

    def _shapes(self, part: str) -> dict[str, tuple[int, ...]]:
        return self.graphs[part].inputs

    def _shape(self, name: str) -> tuple[int, ...]:
        return next(graph.inputs[name] for graph in self.graphs.values() if name in graph.inputs)

    def _made(self, sequence: Recurrence, tensor: str) -> tuple[str, str]:
        return next(part for part in sequence.parts if tensor in self.graphs[part].outputs), tensor

    def _range(self, name: str, part: str = "") -> tuple[int, int]:
        """Return the declared range of an input, or of a tensor of `part`."""
        if name == EXPONENT:
            return tuple(self.interface["gain"]["exponents"])
        for known in [self.interface["parts"][part]] if part else self.interface["parts"].values():
            said = {**known["outputs"], **known["inputs"]}
            if name in said:
                return tuple(said[name]["range"])
        sequence = Recurrence.of(self.interface)
        step = next((n for n, source in sequence.steps.items() if source == name), None) if sequence else None
        if step is None:
            raise ArtefactError(f"interface.json says nothing of the range of {name}.")
        return self._range(step)
