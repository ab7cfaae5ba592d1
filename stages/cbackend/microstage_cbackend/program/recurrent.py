"""Join parts around a cell that is stepped: encoder once, the cell step by step from zero, head once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from microstage.errors import ModelError
from microstage.interface.recurrence import Recurrence
from microstage_cbackend.program.ir import Part, Tensor

__all__ = ["NetworkEnds", "RecurrentModel", "check_types", "recurrent_model"]


class NetworkEnds(NamedTuple):
    """Hold the inputs and the named outputs of a whole network."""

    inputs: list[Tensor]
    outputs: list[tuple[str, Tensor]]


@dataclass
class RecurrentModel:
    """Hold parts by their roles: encoder -> cell once per step, states zero at the start -> head.

    Without a head there is no whole, only steps.
    """

    sequence: Recurrence
    cell: Part
    encoder: Part | None
    head: Part | None

    @property
    def steps(self) -> int:
        """Count the steps of one answer."""
        return self.sequence.length

    @property
    def frames(self) -> dict[str, Tensor]:
        """Return {name: all steps} of the sequences that the cell is stepped over."""
        made = dict(zip(self.encoder.output_names, self.encoder.outputs)) if self.encoder else {}
        taken = {t.name: t for t in self.cell.inputs}
        return {
            source: made.get(source) or Tensor(source, (self.steps, *t.shape[1:]), t.low, t.high, declared=t.ctype)
            for step, source in self.sequence.steps.items()
            for t in [taken[step]]
        }

    @property
    def inputs(self) -> list[Tensor]:
        """Return what the whole network takes.

        These are the encoder's inputs, sequences that no encoder makes, and what the head takes beside states.
        """
        made = self.encoder.output_names if self.encoder else []
        own = [
            *(self.encoder.inputs if self.encoder else []),
            *(t for name, t in self.frames.items() if name not in made),
        ]
        own += [t for t in self.head.inputs if t.name not in self.sequence.last] if self.head else []
        return list({t.name: t for t in own}.values())

    @property
    def outputs(self) -> list[tuple[str, Tensor]]:
        """Return the head's outputs by name; none without a head."""
        return list(zip(self.head.output_names, self.head.outputs)) if self.head else []

    @property
    def ends(self) -> NetworkEnds | None:
        """Return inputs and outputs of the whole network, None where the parts make no whole."""
        return NetworkEnds(self.inputs, self.outputs) if self.head else None


def recurrent_model(parts: dict[str, Part], sequence: Recurrence) -> RecurrentModel:
    """Return the recurrent model of `parts` by name; `ModelError` where types or sizes do not fit.

    The cell learns which of its tensors are states.
    """
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
    if recurrent.head:
        _check_head(recurrent, recurrent.head, cell)


def _check_head(recurrent: RecurrentModel, head: Part, cell: dict[str, Tensor]) -> None:
    """Raise `ModelError` where `head` takes a state of the `cell`, or an input of the encoder, in another form."""
    own = {t.name: (t, recurrent.encoder) for t in recurrent.encoder.inputs} if recurrent.encoder else {}
    for taken in head.inputs:
        if taken.name in recurrent.sequence.last:
            check_types(cell[recurrent.sequence.last[taken.name]], taken)
        elif taken.name in own and own[taken.name][0].shape != taken.shape:
            tensor, encoder = own[taken.name]
            raise ModelError(
                f"{taken.name} is taken as {list(tensor.shape)} by {encoder.name} and as"
                f" {list(taken.shape)} by {head.name}; give the head an input of its own."
            )


def check_types(given: Tensor, taken: Tensor, times: int = 1) -> None:
    """Raise `ModelError` where `taken`, `times` times, is not of the type, size and range of `given`."""
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
