"""Join parts that all run at every step, with states that are carried from step to step: encoder, cell, head."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from microstage.errors import ModelError
from microstage.interface.answer import PhasorMean
from microstage.interface.gain import EXPONENT, Gain
from microstage.interface.recurrence import Recurrence
from microstage.signals.settle import Settling
from microstage_cbackend.program.ir import Part, Tensor
from microstage_cbackend.program.recurrent import RecurrentModel, check_types

__all__ = ["SteppedModel", "stepped_model"]


@dataclass
class SteppedModel(RecurrentModel):
    """Hold parts by their roles, where all of them run at every step.

    `gain` of each step's window and the `mean` that answers, where there are such; `settling`: what happens to
    carried states between two steps.
    """

    gain: Gain | None
    mean: PhasorMean | None
    settling: Settling

    @property
    def parts(self) -> list[Part]:
        """Return the parts in the order in which they run."""
        return [part for part in (self.encoder, self.cell, self.head) if part]

    @property
    def carried(self) -> dict[str, str]:
        """Return {input of a part: the output that it takes of the step before}."""
        return {**self.sequence.states, **self.sequence.carried}

    @property
    def states(self) -> list[Tensor]:
        """Return what is carried, as the next step takes it."""
        taken = [
            t
            for part in self.parts
            for t in part.inputs
            if self.source(part, t.name) == t.name and t.name in self.carried
        ]
        return list({t.name: t for t in taken}.values())

    @property
    def computed(self) -> dict[str, Tensor]:
        """Return {name: tensor} of all that parts give within a step."""
        return {name: t for part in self.parts for name, t in zip(part.output_names, part.outputs)}

    def source(self, part: Part, taken: str) -> str:
        """Name the tensor that input `taken` of `part` is.

        It is one that a part gives in this step, a state, or an input of the network.
        """
        if part is self.cell:
            return self.sequence.steps.get(taken, taken)
        return self.sequence.states[self.sequence.last[taken]] if taken in self.sequence.last else taken

    @property
    def step_inputs(self) -> list[Tensor]:
        """Return what the network takes at each step."""
        taken = {self.source(part, t.name): t for part in self.parts for t in part.inputs}
        return [t for name, t in taken.items() if name not in self.computed and name not in self.carried]

    @property
    def exponent(self) -> Tensor | None:
        """Return the exponent of a step's gain, where there is a gain."""
        return Tensor(EXPONENT, (1,), *self.gain.exponents, declared="int8_t") if self.gain else None

    @property
    def inputs(self) -> list[Tensor]:
        """Return the inputs of as many steps as one answer takes, one after another."""
        each = [*self.step_inputs, *([self.exponent] if self.exponent else [])]
        return [Tensor(t.name, (self.steps, *t.shape[1:]), t.low, t.high, declared=t.ctype) for t in each]


def stepped_model(parts: Mapping[str, Part], roles: Recurrence, interface: Mapping[str, Any]) -> SteppedModel:
    """Return the model of `parts` by name in their `roles`; `ModelError` where types or sizes do not fit."""
    gain, mean = Gain.read(interface), PhasorMean.read(interface)
    around = [parts[name] for name in (roles.encoder, roles.head) if name]
    tops = {t.name: t.high for part in around for t in part.inputs if t.name in roles.carried}
    settling = Settling.of(roles, gain, mean, tops)
    encoder, head = parts.get(roles.encoder or ""), parts.get(roles.head or "")
    recurrent = SteppedModel(roles, parts[roles.cell], encoder, head, gain, mean, settling)
    recurrent.cell.states = list(roles.states.items())
    _check(recurrent)
    return recurrent


def _check(recurrent: SteppedModel) -> None:
    """Check types, where integers are handed on as they are; signs, where they are settled in between."""
    for part in recurrent.parts:
        for taken in part.inputs:
            if given := recurrent.computed.get(recurrent.source(part, taken.name)):
                check_types(given, taken)
    mean = recurrent.settling.mean
    held = {*recurrent.settling.tops, *([mean.count] if mean else [])}
    for taken in recurrent.states:
        given = recurrent.computed[recurrent.carried[taken.name]]
        if taken.name not in held:
            check_types(given, taken)
        elif taken.high >= 1 << 31 or taken.name in recurrent.settling.tops and taken.low > -taken.high:
            raise ModelError(
                f"{taken.name} is in {taken.low}..{taken.high}; states that follow a gain are as far below zero as "
                "above, and have 32 bits."
            )
    if recurrent.mean:
        _check_mean(recurrent.mean, *(recurrent.computed[name] for name in recurrent.mean.outputs))


def _check_mean(mean: PhasorMean, total: Tensor, count: Tensor, correction: Tensor) -> None:
    """Raise `ModelError` where the three tensors that `mean` is made of do not fit one another."""
    if count.low < 1:
        raise ModelError(f"{mean.count}, which the answer is divided by, can be {count.low}; let every step count one.")
    if total.size != 2 * count.size or correction.size != count.size:
        raise ModelError(
            f"{mean.name} is made of {total.size} values of {mean.sum}, {count.size} of "
            f"{mean.count} and {correction.size} of"
            f" {mean.correction}; expected two of the first, a real and an imaginary part, for one of the "
            "others."
        )
