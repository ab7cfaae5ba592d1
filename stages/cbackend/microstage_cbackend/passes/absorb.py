"""Let a layer take up that what it writes, or what it reads, is stored with an offset.

writes x + d   a stage adds d to what it gives, a table and a constant operand to their entries
reads  x + d   a sum is larger by d times its weights, which its thresholds or its offset take up; so is padding
"""

from __future__ import annotations

import numpy as np

from microstage.requantise import MultiplyAddShift, Search
from microstage_cbackend.passes.fuse import SUMMING, channels_of
from microstage_cbackend.program.ir import KernelCall, Levelled, RowStage, Tensor, accumulator_type
from microstage_cbackend.program.wide import Wide

__all__ = ["absorbs_read", "absorbs_write", "raise_read", "raise_written"]

_STAGED = (*SUMMING, "ms_blend", "ms_sum_pool", "ms_stage")


def absorbs_write(layer: KernelCall) -> bool:
    """Tell whether `raise_written` can be done."""
    return (
        (_has_room(layer) and isinstance(layer.stage, Levelled)) or layer.kernel == "ms_table" or _moves_constant(layer)
    )


def absorbs_read(layer: KernelCall) -> bool:
    """Tell whether `raise_read` can be done."""
    staged = _has_room(layer) and isinstance(layer.stage, RowStage)
    padded = layer.kernel == "ms_sum_pool" and layer.shape["pad_top"] + layer.shape["pad_left"] > 0
    return (staged and not padded) or layer.kernel in ("ms_table", "ms_top") or _adds_constant(layer)


def _has_room(layer: KernelCall) -> bool:
    """Tell whether `layer` has a stage whose constants may grow: those of a wide one may fill their 64 bits."""
    return layer.kernel in _STAGED and not isinstance(layer.stage, Wide)


def _moves_constant(layer: KernelCall) -> bool:
    return _adds_constant(layer) or _copies_constant(layer)


def _adds_constant(layer: KernelCall) -> bool:
    return layer.kernel == "ms_add" and layer.inputs[1].data is not None


def _copies_constant(layer: KernelCall) -> bool:
    return layer.kernel == "ms_copy" and layer.inputs[0].data is not None


def raise_written(layer: KernelCall, by: int) -> None:
    """Let `layer` write what it writes plus `by`."""
    if isinstance(layer.stage, Levelled):
        layer.stage = layer.stage.raised(by)
        _narrow(layer)
    else:
        _raise_constant(layer, by, 0 if _copies_constant(layer) else 1)


def _raise_constant(layer: KernelCall, by: int, place: int = 1) -> None:
    w = layer.inputs[place]
    layer.inputs[place] = Tensor(w.name, w.shape, w.low + by, w.high + by, w.integers + by)


def raise_read(layer: KernelCall, place: int, by: int) -> None:
    """Let `layer` give what it gave although its operand at `place` is stored plus `by`."""
    if layer.kernel == "ms_table":
        layer.shape["low"] += by
    elif layer.kernel == "ms_add":
        _raise_constant(layer, -by)
    elif isinstance(layer.stage, RowStage):
        _raise_sums(layer, layer.stage, _added(layer, place, by))


def _added(layer: KernelCall, place: int, by: int) -> np.ndarray:
    """Raise the padding of `layer`; return what `by` adds to its sums, per channel or one for all."""
    if layer.kernel == "ms_blend":
        return np.array([by * layer.shape["w_multiplier" if place else "x_multiplier"]])
    if layer.kernel == "ms_sum_pool":
        return np.array([by * layer.shape["kernel_h"] * layer.shape["kernel_w"]])
    if layer.kernel == "ms_stage":
        return np.array([by])
    if "pad_value" in layer.shape:
        layer.shape["pad_value"] += by
    w = layer.weights
    rows = w.reshape(-1, w.shape[-1]).T if layer.kernel == "ms_depthwise" else w.reshape(channels_of(layer), -1)
    return by * rows.sum(axis=1)


def _raise_sums(layer: KernelCall, stage: RowStage, added: np.ndarray) -> None:
    """Let the `stage` of `layer` give for sums that are larger by `added` what it gave for them."""
    least, most = min(0, int(added.min())), max(0, int(added.max()))
    layer.partial = layer.partial[0] + least, layer.partial[1] + most
    layer.reach = tuple(end + added for end in layer.reach)
    layer.accumulator = accumulator_type(*layer.partial, f"Node {layer.node}: its sum")
    layer.stage = stage.of_raised(added)
    _narrow(layer)
    layer.remark = f"sums of stored values within {layer.partial[0]}..{layer.partial[1]}"


def _narrow(layer: KernelCall) -> None:
    """Settle in how many bits the stage of `layer` computes."""
    stage, wide = layer.stage, layer.accumulator == "int64_t"
    if isinstance(stage, MultiplyAddShift):
        stage.wide = not stage.fits_32_bits(*layer.reach)
    elif isinstance(stage, Search):
        stage.wide = stage.wide or wide
