"""Write the stage of a layer as a C structure, and in the words of a comment."""

from __future__ import annotations

from microstage_cbackend.kernels.layouts import wide_shift
from microstage_cbackend.program.ir import Requantisation
from microstage_cbackend.program.requantise import MultiplyAddShift, Raw, Search, Shared
from microstage_cbackend.program.wide import Wide
from microstage_cbackend.writers.constants import Constants

__all__ = ["requant_text", "rounding", "stage_text"]


def stage_text(stage: Requantisation, name: str, constants: Constants) -> str:
    """Return the argument that tells a plain kernel its `stage`; constants are called after the tensor `name`."""
    if isinstance(stage, Raw):
        return "NULL"
    if isinstance(stage, Search):
        members = _search(stage, name, constants)
    elif isinstance(stage, Shared):
        members = _shared(stage, name, constants)
    elif isinstance(stage, MultiplyAddShift):
        members = _line(stage, name, constants)
    else:
        members = _wide(stage, name, constants)
    return f"&(const ms_{stage.kind}){{{members}}}"


def _search(stage: Search, name: str, constants: Constants) -> str:
    width = stage.kind.removeprefix("search")
    thresholds = constants.add_array(f"{name}_thresholds", stage.thresholds, f"int{width}_t")
    rows, levels = stage.thresholds.shape
    numbers = f".rows = {rows}, .levels = {levels}, .scale = {stage.scale}, .bias = {stage.bias}"
    return f".thresholds = {thresholds}, {numbers}"


def _shared(stage: Shared, name: str, constants: Constants) -> str:
    thresholds = constants.add_array(f"{name}_thresholds", stage.thresholds, "int32_t")
    offset = constants.add_array(f"{name}_offset", stage.offset, "int32_t")
    numbers = f".levels = {stage.thresholds.size}, .shift = {stage.shift}, .bias = {stage.bias}"
    return f".thresholds = {thresholds}, .offset = {offset}, {numbers}"


def _line(stage: MultiplyAddShift, name: str, constants: Constants) -> str:
    multiplier = constants.add_array(f"{name}_multiplier", stage.multiplier, "int32_t")
    offset = constants.add_array(f"{name}_offset", stage.offset, "int64_t" if stage.wide else "int32_t")
    numbers = f".shift = {stage.shift}, .low = {stage.low}, .high = {stage.high}"
    members = f".multiplier = {multiplier}, .offset = {offset}, {numbers}"
    members += f", .odd = {int(stage.odd)}" if stage.even else ""
    if stage.kink is None:
        return members
    return members + f", .kink = {constants.add_array(f'{name}_kink', stage.kink, 'int64_t')}, .edge = {stage.edge}"


def _wide(stage: Wide, name: str, constants: Constants) -> str:
    types = {"upper": "int64_t", "addend": "int64_t", "lower": "int32_t", "fine": "int32_t"}
    arrays = {what: constants.add_array(f"{name}_{what}", values, types[what]) for what, values in stage.parts.items()}
    members = "".join(f".{what} = {array}, " for what, array in arrays.items())
    members += f".shift = {stage.shift - stage.lift}, .low = {stage.low}, .high = {stage.high}"
    return f"{members}, .odd = {int(stage.odd)}, .ties = {stage.ties >> stage.lift}"


def requant_text(stage: MultiplyAddShift, name: str, signed: bool, constants: Constants) -> str:
    """Return the argument that tells a specialised kernel its line; `signed`: it stores int8, by flipping a bit."""
    flip = 128 if signed else 0
    offset = stage.offset + (flip << stage.shift) + (1 << (stage.shift - 1) if stage.even else 0)
    multiplier, offset, shift = wide_shift(stage.multiplier, offset, stage.shift)
    multipliers = constants.add_array(f"{name}_multiplier", multiplier, "int32_t")
    offsets = constants.add_array(f"{name}_offset", offset, "int64_t")
    numbers = f".shift = {shift}, .low = {stage.low + flip}, .high = {stage.high + flip}"
    numbers += f", .even = {int(stage.even)}, .zero = {int(stage.odd)}, .flip = {flip}"
    if stage.kink is not None:
        more = shift - stage.shift
        kink = constants.add_array(f"{name}_kink", stage.kink << more, "int64_t")
        numbers += f", .kink = {kink}, .edge = {(stage.edge + (flip << stage.shift)) << more}"
    return f"&(const ms_requant){{.multiplier = {multipliers}, .offset = {offsets}, {numbers}}}"


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
