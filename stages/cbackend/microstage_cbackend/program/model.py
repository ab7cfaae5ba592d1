"""Join the parts of one network to a whole: encoder, recurrent cell, head, as the interface says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from microstage.errors import ArtefactError, ModelError
from microstage.interface.cepstra import Cepstra
from microstage.interface.gain import Gain
from microstage.interface.recurrence import Recurrence
from microstage_cbackend.program.ir import Part, Tensor
from microstage_cbackend.program.recurrent import NetworkEnds, RecurrentModel, recurrent_model
from microstage_cbackend.program.stepped import SteppedModel, stepped_model

__all__ = ["Model", "RecurrentModel", "SteppedModel", "recurrent_model_of"]


@dataclass
class Model:
    """Hold what is written of a network.

    `parts` in order; `interface`: scales, units and roles by the names of the parts; `recurrent` of a network with
    steps; `classes` that answers are of.
    """

    name: str
    parts: list[Part]
    interface: dict[str, Any]
    recurrent: RecurrentModel | None = None
    classes: tuple[str, ...] = ()

    @property
    def ends(self) -> NetworkEnds | None:
        """Return inputs and named outputs of the whole network; None where the parts make no whole."""
        if self.recurrent is not None:
            return self.recurrent.ends
        if len(self.parts) == 1:
            part = self.parts[0]
            return NetworkEnds(part.inputs, list(zip(part.output_names, part.outputs)))
        return None

    @property
    def gain(self) -> Gain | None:
        """Return the gain of the window, which its answers are multiples of too, where there is one."""
        return Gain.read({"gain": self.interface.get("gain")})

    @property
    def features(self) -> Cepstra | None:
        """Return how the network's only input is made of sound, None where no input is.

        Raises `ArtefactError` or `ModelError` where the input that the interface names cannot be made so.
        """
        features = Cepstra.read(self.interface)
        if features is None:
            return None
        inputs, facts = self.ends.inputs if self.ends else [], self.facts_of_ends().get(features.input, {})
        if self.recurrent is not None or [t.name for t in inputs] != [features.input]:
            found = ", ".join(t.name for t in inputs) or "none"
            raise ArtefactError(
                f"The features of the interface are {features.input}, alone; the network's inputs are {found}."
            )
        one = isinstance(facts.get("scale"), float) and not facts.get("offset") and "range" in facts
        if not one or inputs[0].high > 32767:
            raise ModelError(
                f"{features.input} is made of sound; expected one scale, no offset, and integers of at most 16 bits."
            )
        return features

    def facts(self, part: Part) -> dict[str, dict[str, Any]]:
        """Return what is known of each input and output of `part`, by name: scale, zero_point, unit."""
        known = self.interface.get("parts", {}).get(part.name, self.interface if len(self.parts) == 1 else {})
        return {**known.get("inputs", {}), **known.get("outputs", {})}

    def real_inputs(self) -> dict[str, list[Tensor]]:
        """Return {real input: the tensors of integers that are made of it}, one for each quantiser that reads it."""
        known = self.facts_of_ends()
        found: dict[str, list[Tensor]] = {}
        for tensor in self.ends.inputs if self.ends else ():
            found.setdefault(known.get(tensor.name, {}).get("of", tensor.name), []).append(tensor)
        return found

    @property
    def missing(self) -> list[str]:
        """Return what the network has that is not computed here, where it was cut short: a sentence for each place."""
        known = [found for part in self.interface.get("parts", {}).values() for found in part.get("missing", ())]
        return [f"{found['layer']} ({found['operator']} -> {found['tensor']}): {found['reason']}." for found in known]

    def facts_of_ends(self) -> dict[str, dict[str, Any]]:
        """Return the same of each input and output of the whole network; of a sequence, what is known of its step."""
        known = {name: said for part in self.parts for name, said in self.facts(part).items()}
        steps = (
            {source: known[step] for step, source in self.recurrent.sequence.steps.items() if step in known}
            if self.recurrent
            else {}
        )
        return {**steps, **known}


def recurrent_model_of(parts: list[Part], interface: dict[str, Any]) -> RecurrentModel | None:
    """Return the recurrent model that the interface's `sequence` describes, None without one.

    The cell learns which of its tensors are states.

    Raises `ArtefactError` where the roles do not fit the graphs, `ModelError` where types or sizes do not.
    """
    sequence = Recurrence.of(interface)
    if sequence is None:
        return None
    by_name = {part.name: part for part in parts}
    shapes = {
        name: ({t.name: t.shape for t in part.inputs}, {n: t.shape for n, t in zip(part.output_names, part.outputs)})
        for name, part in by_name.items()
    }
    sequence.check(shapes)
    return stepped_model(by_name, sequence, interface) if sequence.carried else recurrent_model(by_name, sequence)
