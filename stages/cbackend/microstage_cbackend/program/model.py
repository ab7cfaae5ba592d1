"""Parts of one network, and how they make a whole: encoder, recurrent cell, head."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from microstage.errors import ModelError
from microstage_cbackend.program.ir import Part, Tensor

__all__ = ["Chain", "Model", "chain_of"]


@dataclass
class Chain:
    """Parts that make one whole network: encoder -> cell once per step -> head, states zero at the start."""

    encoder: Part
    cell: Part
    head: Part
    step_input: Tensor
    "The cell's input that is one step of the encoder's output."

    @property
    def steps(self) -> int:
        return self.encoder.outputs[0].size // self.step_input.size


@dataclass
class Model:
    """What is written: `parts` in order, `interface` = scales and units by part, `chain` where the parts make one network."""

    name: str
    parts: list[Part]
    interface: dict[str, Any]
    chain: Chain | None

    def facts(self, part: Part) -> dict[str, dict[str, Any]]:
        """What is known of each input and output of `part`, by name: scale, zero_point, unit."""
        known = self.interface.get("parts", {}).get(part.name, self.interface if len(self.parts) == 1 else {})
        sides = {**known.get("inputs", {}), **known.get("outputs", {})}
        return {**sides, **{name: {**sides.get(name, {}), **own} for name, own in part.interface.items()}}


def chain_of(parts: list[Part]) -> Chain | None:
    """The chain that the tensor names say (`s` -> `s_t`, ... `h_next` -> `h`), or None where the parts stand alone.

    Raises `ModelError` where names say one thing and types or sizes another.
    """
    for cell in (p for p in parts if p.states):
        states = dict(cell.states)
        others = [t for t in cell.inputs if t.name not in states]
        if len(others) != 1 or set(cell.output_names) != set(states.values()):
            continue
        sequence = others[0].name.removesuffix("_t")
        encoder = next((p for p in parts if p.output_names == [sequence] and len(p.inputs) == 1), None)
        head = next((p for p in parts if len(p.inputs) == 1 and p.inputs[0].name in states and len(p.outputs) == 1), None)
        if encoder and head:
            _check(encoder.outputs[0], others[0])
            after = dict(zip(cell.output_names, cell.outputs))
            for taken in (*(t for t in cell.inputs if t.name in states), head.inputs[0]):
                _check(after[states[taken.name]], taken)
            return Chain(encoder, cell, head, others[0])
    return None


def _check(given: Tensor, taken: Tensor) -> None:
    if given.ctype != taken.ctype or given.low < taken.low or given.high > taken.high or given.size % taken.size:
        raise ModelError(
            f"{given.name} gives {given.size} {given.ctype} in {given.low}..{given.high}, but {taken.name} takes "
            f"{taken.size} {taken.ctype} in {taken.low}..{taken.high}; declare both with one datatype."
        )
