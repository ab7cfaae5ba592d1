"""Write the stage of a layer as members of a C structure, and in the words of a comment."""

from __future__ import annotations

from microstage.requantise import MultiplyAddShift
from microstage_cbackend.program.arguments import StageArguments, StageArray
from microstage_cbackend.program.ir import Requantisation
from microstage_cbackend.program.wide import Wide
from microstage_cbackend.writers.constants import Constants

__all__ = ["rounding", "stage_text"]


def stage_text(stage: StageArguments, name: str, constants: Constants) -> str:
    """Return the members of the structure that says a `stage`; constants are called after the tensor `name`."""
    members = []
    for member, value in stage.members.items():
        if isinstance(value, StageArray):
            text = constants.add_array(f"{name}_{member}", value.values, value.ctype)
        else:
            text = str(value)
        members.append(f".{member} = {text}")
    return ", ".join(members)


def rounding(stage: Requantisation | None) -> str:
    """Say how a stage rounds, nothing of one that multiplies nothing."""
    if isinstance(stage, Wide):
        return f"multiply, add, shift by {stage.shift}" + (", in parts of 64 bits" if stage.split else "")
    if not isinstance(stage, MultiplyAddShift):
        return ""
    if stage.even:
        rounded = f"half to {'odd' if stage.odd else 'even'}"
    else:
        rounded = "down" if stage.kink is None else "down, lower below a kink"
    return f"multiply, add, shift by {stage.shift}, {rounded}"
