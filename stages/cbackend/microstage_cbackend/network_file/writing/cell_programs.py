"""Write the programs of a network with a cell that is stepped by itself: between an encoder and a head, or alone."""

from __future__ import annotations

from collections.abc import Mapping

from microstage_cbackend.network_file.writing.programs import BytePlace, ProgramEnd, ProgramRecords
from microstage_cbackend.program.ir import Part
from microstage_cbackend.program.recurrent import RecurrentModel

__all__ = ["cell_alone", "cell_between"]


class _Cell:
    """Write the calls of a cell's step: its run, and the new states that become the `states`."""

    def __init__(self, records: ProgramRecords, cell: Part) -> None:
        self.cell, self._records, self._after = cell, records, dict(cell.states)
        self.made = dict(zip(cell.output_names, cell.outputs))
        self._held = {t.name: t for t in cell.inputs if t.name in self._after}
        self.states = records.kept(self._held)

    def zero(self) -> None:
        """Write the calls that make the states zeros."""
        for place in self.states.values():
            self._records.call("zero", [place])

    def step(self, taken: Mapping[str, BytePlace], given: Mapping[str, BytePlace]) -> None:
        """Write one step, which takes inputs beside the states from `taken` and leaves all outputs in `given`."""
        inputs = [self.states.get(t.name) or taken[t.name] for t in self.cell.inputs]
        self._records.run(self.cell, inputs, [given[name] for name in self.cell.output_names])
        for old, new in self._after.items():
            types = self.made[new], self._held[old]
            self._records.call("move", [given[new], self.states[old]], types, count=self._held[old].size)


def cell_alone(records: ProgramRecords, part: Part) -> None:
    """Write `step` and `reset` of a cell that makes no whole with other parts; a step gives the new states, too."""
    cell = _Cell(records, part)
    inputs = [ProgramEnd(t.name, t) for t in part.inputs if t.name not in cell.states]
    outputs = [ProgramEnd(name, t) for name, t in cell.made.items()]
    first = records.calls
    cell.zero()
    behind = records.calls
    cell.step(*records.places(inputs, outputs))
    records.program("step", part.name, inputs, outputs, (behind, records.calls))
    records.program("reset", part.name, [], [], (first, behind))


def cell_between(records: ProgramRecords, recurrent: RecurrentModel, head: Part, name: str) -> None:
    """Write `infer`: an encoder, if there is one, the cell step by step from zeros, the head."""
    encoder, sequence, cell = recurrent.encoder, recurrent.sequence, _Cell(records, recurrent.cell)
    encoded = dict(zip(encoder.output_names, encoder.outputs)) if encoder else {}
    long = {source for source in recurrent.frames if source not in encoded}
    inputs = [ProgramEnd(t.name, t, recurrent.steps if t.name in long else 1) for t in recurrent.inputs]
    outputs = [ProgramEnd(n, t) for n, t in recurrent.outputs]
    taken, given = records.places(inputs, outputs)
    made = records.kept(encoded)
    frames = {
        t.name: BytePlace(whole.base, whole.offset, t.bytes, t.bytes)
        for t in recurrent.cell.inputs
        if t.name in sequence.steps
        for whole in [{**taken, **made}[sequence.steps[t.name]]]
    }
    first = records.calls
    if encoder:
        records.run(encoder, [taken[t.name] for t in encoder.inputs], [*made.values()])
    cell.zero()
    new = records.kept(cell.made)
    with records.repeated(recurrent.steps):
        cell.step(frames, new)
    last = [cell.states[sequence.last[t.name]] if t.name in sequence.last else taken[t.name] for t in head.inputs]
    records.run(head, last, [*given.values()])
    records.program("infer", name, inputs, outputs, (first, records.calls))
