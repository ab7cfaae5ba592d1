"""Write the programs of a network whose parts all run at every step: `infer` and `step` share the calls of a step."""

from __future__ import annotations

from microstage.interface.gain import EXPONENT
from microstage_cbackend.network_file.writing.programs import BytePlace, ProgramEnd, ProgramRecords
from microstage_cbackend.program.ir import Tensor
from microstage_cbackend.program.stepped import SteppedModel

__all__ = ["all_at_every_step"]


class _Step:
    """Write the calls of one step; `places` holds all that it reads and writes by name."""

    def __init__(
        self, records: ProgramRecords, recurrent: SteppedModel, inputs: list[ProgramEnd], outputs: list[ProgramEnd]
    ) -> None:
        self._records, self._recurrent = records, recurrent
        self.states = {t.name: t for t in recurrent.states}
        self._kept = records.kept(self.states)
        self._exponent = records.kept({EXPONENT: recurrent.exponent}) if recurrent.exponent else {}
        self._settled = records.kept({name: self.states[name] for name in self._settling()})
        taken, made = records.places(inputs, outputs)
        between = records.kept({name: t for name, t in recurrent.computed.items() if name not in made})
        self._places = {**self._kept, **self._settled, **taken, **made, **between}

    def _settling(self) -> list[str]:
        """Name the states that are settled before a step."""
        settling = self._recurrent.settling
        mean = [settling.mean.sum, settling.mean.count] if settling.mean else []
        return list(dict.fromkeys([*settling.tops, *mean])) if self._recurrent.gain else []

    def zero(self) -> None:
        """Write the calls of a reset."""
        for place in (*self._kept.values(), *self._exponent.values()):
            self._records.call("zero", [place])

    def write(self) -> None:
        """Write the calls of a step."""
        for name in self._settled:
            self._settle(name, self.states[name])
        mean = self._recurrent.settling.mean
        if self._settled and mean:
            total, count = self.states[mean.sum], self.states[mean.count]
            places = [self._settled[mean.count], self._settled[mean.sum]]
            self._records.call("forget", places, (count, total), subject=total.size, count=count.size, most=mean.most)
        for part in self._recurrent.parts:
            inputs = [self._places[self._recurrent.source(part, t.name)] for t in part.inputs]
            self._records.run(part, inputs, [self._places[name] for name in part.output_names])
        for t in self._recurrent.states:
            new = self._recurrent.carried[t.name]
            self._move(self._places[new], self._kept[t.name], self._recurrent.computed[new], t)
        if self._recurrent.exponent:
            one = self._recurrent.exponent
            self._move(self._places[EXPONENT], self._exponent[EXPONENT], one, one)

    def _move(self, source: BytePlace, to: BytePlace, read: Tensor, written: Tensor) -> None:
        self._records.call("move", [source, to], (read, written), count=written.size)

    def _settle(self, name: str, t: Tensor) -> None:
        """Write what a state is before a step: turned, at the gain that comes; of the mean, within what it counts."""
        tops, mean = self._recurrent.settling.tops, self._recurrent.settling.mean
        if name not in tops:
            return self._move(self._kept[name], self._settled[name], t, t)
        places = [self._kept[name], self._settled[name], self._places[EXPONENT], self._exponent[EXPONENT]]
        if mean and name == mean.sum:
            count = self.states[mean.count]
            places, types = [*places, self._kept[mean.count]], (t, count)
            return self._records.call("turn_sum", places, types, subject=count.size, count=t.size, most=mean.summand)
        return self._records.call("turn", places, (t, t), count=t.size, most=tops[name])


def all_at_every_step(records: ProgramRecords, recurrent: SteppedModel, name: str) -> None:
    """Write `infer`, all steps of an answer from zeros; `step`, one of them; `reset`."""
    exponent = [recurrent.exponent] if recurrent.exponent else []
    one = [ProgramEnd(t.name, t) for t in (*recurrent.step_inputs, *exponent)]
    every = [ProgramEnd(t.name, t, recurrent.steps) for t in recurrent.inputs]
    outputs = [ProgramEnd(n, t) for n, t in recurrent.outputs]
    step, first = _Step(records, recurrent, every, outputs), records.calls
    step.zero()
    behind = records.calls
    with records.repeated(recurrent.steps):
        step.write()
    records.program("infer", name, every, outputs, (first, records.calls))
    records.program("step", name, one, outputs, (behind + 1, records.calls))
    records.program("reset", name, [], [], (first, behind))
