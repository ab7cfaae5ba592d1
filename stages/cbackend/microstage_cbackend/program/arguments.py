"""Say what a kernel is given for a layer, as data: operands, packed weights, stage. C text and network file say it on.

operands     x, w, third, y
layouts_of   weights of a specialised kernel in each order that one of its forms reads; lines_of: bias and multiplier
stage_of     kind, arrays and numbers of the stage, those of `ms_requant` for a specialised kernel
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from microstage.requantise import MultiplyAddShift, Raw, Search, Shared
from microstage_cbackend.kernels.layouts import ROWS, pack_blocks, pack_depthwise_blocks, pack_rows, wide_shift
from microstage_cbackend.kernels.small.orders import (
    small_conv_lines,
    small_conv_weights,
    small_depthwise_lines,
    small_depthwise_weights,
)
from microstage_cbackend.program.ir import KernelCall, Requantisation, Tensor
from microstage_cbackend.program.small_line import SmallLine

__all__ = [
    "BLOCKS",
    "DEPTHWISE_BLOCKS",
    "ROWS",
    "SPECIALISED",
    "Operands",
    "StageArguments",
    "StageArray",
    "layouts_of",
    "lines_of",
    "operands",
    "stage_of",
]

BLOCKS, DEPTHWISE_BLOCKS = "blocks", "depthwise_blocks"
"Orders of packed weights beside rows, the canonical one."
_LINE = ("offset", "shift", "low", "high", "flip", "fine", "edge")
SPECIALISED = {
    **{f"ms_{name}": f"ms_{name}.h" for name in "conv_u8 depthwise_u8 average_u8 add_u8 pad_u8 pack".split()},
    "ms_conv_u8_sums": "ms_conv_u8.h",
    "ms_frame_u8": "ms_pad_u8.h",
    "ms_xnor_sums": "ms_xnor.h",
    "ms_xnor_bits": "ms_xnor.h",
    **{f"ms_small_{name}": f"ms_small_{name}.h" for name in "conv depthwise add average".split()},
    "ms_small_conv_sums": "ms_small_conv.h",
    "ms_small_conv_requant": "ms_small_conv.h",
    "ms_small_depthwise_requant": "ms_small_depthwise.h",
    "ms_small_xnor_sums": "ms_small_xnor.h",
    "ms_small_xnor_bits": "ms_small_xnor.h",
}
"Kernels in headers, made anew for the sizes of each layer -> their header."


class Operands(NamedTuple):
    """Hold what a kernel reads and writes; `third` is a bias, the limits of ms_xnor_bits, or biases and multipliers."""

    x: Tensor | None
    w: Tensor | None
    third: Tensor | None
    y: Tensor


def operands(layer: KernelCall) -> Operands:
    """Return the operands of `layer`."""
    x, w, third = [*layer.inputs, None, None, None][:3]
    return Operands(x, w, layer.bias or third, layer.output)


def layouts_of(layer: KernelCall) -> dict[str, np.ndarray]:
    """Return {order: the weights of `layer`}, rows first; nothing of kernels whose weights are not packed."""
    if layer.kernel in ("ms_conv_u8", "ms_conv_u8_sums"):
        bits = layer.shape["bits"]
        return {ROWS: pack_rows(layer.weights, bits), BLOCKS: pack_blocks(layer.weights, bits)}
    if layer.kernel == "ms_depthwise_u8":
        blocks = pack_depthwise_blocks(np.transpose(layer.weights, (2, 0, 1)))
        return {ROWS: layer.weights, DEPTHWISE_BLOCKS: blocks}
    if layer.kernel.startswith("ms_small_conv"):
        return small_conv_weights(layer.weights, layer.shape)
    if layer.kernel.startswith("ms_small_depthwise"):
        return small_depthwise_weights(layer.weights, layer.shape)
    return {ROWS: layer.weights} if layer.kernel.endswith(("xnor_sums", "xnor_bits")) else {}


def lines_of(layer: KernelCall) -> dict[str, np.ndarray]:
    """Return {order: bias and multiplier of each channel} of a kernel that takes a line, rows first; else nothing."""
    if not isinstance(layer.stage, SmallLine):
        return {}
    lines = layer.inputs[2].integers
    if layer.kernel == "ms_small_conv":
        return small_conv_lines(lines, layer.shape, bool(layer.stage.fine))
    return small_depthwise_lines(lines)


class StageArray(NamedTuple):
    """Hold constants of a stage and their C type."""

    values: np.ndarray
    ctype: str


@dataclass
class StageArguments:
    """Hold the members of the C structure ms_<kind>, in the order in which they are written."""

    kind: str
    members: dict[str, StageArray | int]


def stage_of(layer: KernelCall) -> StageArguments | None:
    """Return what `layer` is told of its stage; None of kernels that have none, or it among their sizes."""
    stage = layer.stage
    if stage is None or layer.kernel in ("ms_add_u8", "ms_small_add"):
        return None
    if layer.kernel in SPECIALISED:
        signed = layer.output.ctype == "int8_t"
        if isinstance(stage, SmallLine):
            return StageArguments(stage.kind, _members(stage))
        return _requant(stage, signed) if isinstance(stage, MultiplyAddShift) else None
    return StageArguments(stage.kind, _members(stage))


def _members(stage: Requantisation) -> dict[str, StageArray | int]:
    if isinstance(stage, Raw):
        return {}
    if isinstance(stage, Search):
        return _search(stage)
    if isinstance(stage, Shared):
        arrays = {name: StageArray(getattr(stage, name), "int32_t") for name in ("thresholds", "offset")}
        return {**arrays, "levels": stage.thresholds.size, "shift": stage.shift, "bias": stage.bias}
    if isinstance(stage, SmallLine):
        return {name: getattr(stage, name) for name in _LINE}
    if isinstance(stage, MultiplyAddShift):
        return _line(stage)
    types = {"upper": "int64_t", "addend": "int64_t", "lower": "int32_t", "fine": "int32_t"}
    held = {"shift": stage.shift - stage.lift, "low": stage.low, "high": stage.high}
    arrays = {what: StageArray(values, types[what]) for what, values in stage.parts.items()}
    return {**arrays, **held, "odd": int(stage.odd), "ties": stage.ties >> stage.lift}


def _search(stage: Search) -> dict[str, StageArray | int]:
    rows, levels = stage.thresholds.shape
    array = StageArray(stage.thresholds, f"int{stage.kind.removeprefix('search')}_t")
    return {"thresholds": array, "rows": rows, "levels": levels, "scale": stage.scale, "bias": stage.bias}


def _line(stage: MultiplyAddShift) -> dict[str, StageArray | int]:
    found: dict[str, StageArray | int] = {
        "multiplier": StageArray(stage.multiplier, "int32_t"),
        "offset": StageArray(stage.offset, "int64_t" if stage.wide else "int32_t"),
        "shift": stage.shift,
        "low": stage.low,
        "high": stage.high,
    }
    if stage.even:
        found["odd"] = int(stage.odd)
    if stage.kink is not None:
        found |= {"kink": StageArray(stage.kink, "int64_t"), "edge": stage.edge}
    return found


def _requant(stage: MultiplyAddShift, signed: bool) -> StageArguments:
    """Return the line of a specialised kernel; `signed`: it stores int8, by flipping a bit."""
    flip = 128 if signed else 0
    offset = stage.offset + (flip << stage.shift) + (1 << (stage.shift - 1) if stage.even else 0)
    multiplier, offset, shift = wide_shift(stage.multiplier, offset, stage.shift)
    found: dict[str, StageArray | int] = {
        "multiplier": StageArray(multiplier, "int32_t"),
        "offset": StageArray(offset, "int64_t"),
        "shift": shift,
        "low": stage.low + flip,
        "high": stage.high + flip,
        "even": int(stage.even),
        "zero": int(stage.odd),
        "flip": flip,
    }
    if stage.kink is not None:
        more = shift - stage.shift
        kink = StageArray(stage.kink << more, "int64_t")
        found |= {"kink": kink, "edge": (stage.edge + (flip << stage.shift)) << more}
    return StageArguments("requant", found)
