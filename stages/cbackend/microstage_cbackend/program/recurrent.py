"""Parts around a cell that is stepped: encoder once, the cell step by step from zero, head once."""

from __future__ import annotations

from dataclasses import dataclass

from microstage.errors import ModelError
from microstage.interface.recurrence import Recurrence
from microstage_cbackend.program.ir import Part, Tensor

__all__ = ["RecurrentModel", "check_types", "recurrent_model"]


@dataclass
class RecurrentModel:
    """Parts by their roles: encoder -> cell once per step, states zero at the start -> head. Without a head there is no
    whole, only steps."""

    sequence: Recurrence
    cell: Part
    encoder: Part | None
    head: Part | None

    @property
    def steps(self) -> int:
        return self.sequence.length

    @property
    def frames(self) -> dict[str, Tensor]:
        """{sequence: all of its steps} that the cell is stepped over, the encoder's or the network's own."""
        made = dict(zip(self.encoder.output_names, self.encoder.outputs)) if self.encoder else {}
        taken = {t.name: t for t in self.cell.inputs}
        return {
            source: made.get(source) or Tensor(source, (self.steps, *t.shape[1:]), t.low, t.high, declared=t.ctype)
            for step, source in self.sequence.steps.items()
            for t in [taken[step]]
        }

    @property
    def inputs(self) -> list[Tensor]:
        """What the whole network takes: the encoder's inputs, sequences that no encoder makes, what the head takes
        beside states."""
        made = self.encoder.output_names if self.encoder else []
        own = [
            *(self.encoder.inputs if self.encoder else []),
            *(t for name, t in self.frames.items() if name not in made),
        ]
        own += [t for t in self.head.inputs if t.name not in self.sequence.last] if self.head else []
        return list({t.name: t for t in own}.values())

    @property
    def outputs(self) -> list[tuple[str, Tensor]]:
        """The head's, by name."""
        return list(zip(self.head.output_names, self.head.outputs))


def recurrent_model(parts: dict[str, Part], sequence: Recurrence) -> RecurrentModel:
    """The recurrent model of `parts` by name; `ModelError` where types or sizes do not fit. The cell learns which of
    its tensors are states."""
    recurrent = RecurrentModel(
        sequence, parts[sequence.cell], parts.get(sequence.encoder or ""), parts.get(sequence.head or "")
    )
    recurrent.cell.states = list(sequence.states.items())
    _check_types(recurrent)
    return recurrent


def _check_types(recurrent: RecurrentModel) -> None:
    cell = {t.name: t for t in recurrent.cell.inputs}
    after = dict(zip(recurrent.cell.output_names, recurrent.cell.outputs))
    for step, source in recurrent.sequence.steps.items():
        check_types(recurrent.frames[source], cell[step], recurrent.steps)
    for old, new in recurrent.cell.states:
        check_types(after[new], cell[old])
    own = {t.name: t for t in recurrent.encoder.inputs} if recurrent.encoder else {}
    for taken in recurrent.head.inputs if recurrent.head else ():
        if taken.name in recurrent.sequence.last:
            check_types(cell[recurrent.sequence.last[taken.name]], taken)
        elif own.get(taken.name, taken).shape != taken.shape:
            raise ModelError(
                f"{taken.name} is taken as {list(own[taken.name].shape)} by {recurrent.encoder.name} and as"
                f" {list(taken.shape)} by {recurrent.head.name}; give the head an input of its own."
            )


def check_types(given: Tensor, taken: Tensor, times: int = 1) -> None:
    if (
        given.ctype != taken.ctype
        or given.low < taken.low
        or given.high > taken.high
        or given.size != times * taken.size
    ):
        raise ModelError(
            f"{given.name} gives {given.size} {given.ctype} in {given.low}..{given.high}, but {taken.name} takes "
            f"{times} times {taken.size} {taken.ctype} in {taken.low}..{taken.high}; declare both with one datatype."
        )
