"""Signed activations of 8 bits as unsigned bytes, which the specialised kernels multiply by signed ones.

x is stored as x + 128; the change is absorbed by the stages and sums around it.
"""

from __future__ import annotations

import numpy as np

from microstage_cbackend.passes.fuse import SUMMING, channels_of
from microstage_cbackend.program.interpret import walk
from microstage_cbackend.program.ir import Layer, Part, Tensor, accumulator_type
from microstage_cbackend.program.stages import Affine, Search, Shared

__all__ = ["rebase"]

_SHIFT = 128


def rebase(part: Part) -> None:
    """Store int8 activations as uint8 where every layer around them can absorb the difference."""
    _rebase_inputs(part)
    chosen = [t for t in dict.fromkeys(layer.output.root for layer in part.layers) if _signed(part, t)]
    while (kept := [t for t in chosen if _absorbed(part, t, chosen)]) != chosen:  # a pool hands the question on to its other side
        chosen = kept
    for tensor in chosen:
        _shift(part, tensor)


def _signed(part: Part, tensor: Tensor) -> bool:
    return tensor not in part.outputs and not tensor.declared and tensor.ctype == "int8_t" and tensor.low < 0


def _absorbed(part: Part, tensor: Tensor, chosen: list[Tensor]) -> bool:
    writers = [layer for layer in part.layers if layer.output.root is tensor]
    readers = part.readers(tensor)
    return (
        all(_writes(layer, chosen) for layer in writers)
        and all(_reads(layer, chosen) for layer in readers)
        and any(layer.kernel in (*SUMMING, "ms_blend", "ms_sum_pool") for layer in readers)
    )


def _writes(layer: Layer, chosen: list[Tensor]) -> bool:
    if layer.kernel == "ms_max_pool":
        return layer.inputs[0].root in chosen
    if layer.kernel == "ms_add":  # the layer that rebases an input
        return layer.operator == "Rebase"
    return layer.kernel in (*SUMMING, "ms_blend", "ms_sum_pool", "ms_stage") and isinstance(layer.stage, Affine | Search | Shared)


def _reads(layer: Layer, chosen: list[Tensor]) -> bool:
    if layer.kernel == "ms_max_pool":
        return layer.output.root in chosen
    padded = layer.kernel == "ms_sum_pool" and layer.shape["pad_top"] + layer.shape["pad_left"] > 0
    return layer.kernel in (*SUMMING, "ms_blend", "ms_sum_pool") and isinstance(layer.stage, Affine | Search) and not padded


def _shift(part: Part, tensor: Tensor) -> None:
    """Store `tensor` plus 128."""
    for layer in part.layers:
        if layer.output.root is tensor and layer.kernel != "ms_max_pool":
            _raise_output(layer)
    for layer in part.readers(tensor):
        for place, operand in enumerate(layer.inputs):
            if operand.root is tensor:
                _lower_sums(layer, place)
    views = {id(t): t for layer in part.layers for t in (*layer.inputs, layer.output) if t.root is tensor} | {id(tensor): tensor}
    for view in views.values():
        view.low, view.high = view.low + _SHIFT, view.high + _SHIFT
    tensor.declared = "uint8_t"
    for layer in part.layers:
        if layer.scratch and layer.kernel == "ms_conv2d" and layer.inputs[0].root is tensor:
            layer.scratch = ("uint8_t", layer.scratch[1])


def _raise_output(layer: Layer) -> None:
    stage = layer.stage
    if layer.kernel == "ms_add":
        zero = layer.inputs[1]
        layer.inputs[1] = Tensor(zero.name, zero.shape, _SHIFT, _SHIFT, zero.data + _SHIFT)
    elif isinstance(stage, Affine):
        offset = stage.offset + (_SHIFT << stage.shift)
        layer.stage = Affine(stage.multiplier, offset, stage.shift, stage.low + _SHIFT, stage.high + _SHIFT, stage.even)
        sums = (layer.inputs[0].low, layer.inputs[0].high) if layer.kernel == "ms_stage" else layer.partial
        layer.stage.wide = stage.even or not layer.stage.fits_32_bits(*sums)
    elif isinstance(stage, Search):
        layer.stage = Search(stage.thresholds, stage.scale, stage.bias + _SHIFT, stage.wide)
    else:
        layer.stage = Shared(stage.thresholds, stage.offset, stage.shift, stage.bias + _SHIFT)


def _lower_sums(layer: Layer, place: int) -> None:
    """Take what the 128 adds to the sums of `layer` out of its offset."""
    stage = layer.stage
    if layer.kernel == "ms_blend":
        added = np.array([_SHIFT * layer.shape["w_multiplier" if place else "x_multiplier"]])
    elif layer.kernel == "ms_sum_pool":
        added = np.array([_SHIFT * layer.shape["kernel_h"] * layer.shape["kernel_w"]])
    else:
        w = layer.inputs[1].data
        added = _SHIFT * (w.reshape(-1, w.shape[-1]).sum(axis=0) if layer.kernel == "ms_depthwise" else w.reshape(channels_of(layer), -1).sum(axis=1))
        if "pad_value" in layer.shape:
            layer.shape["pad_value"] += _SHIFT
    low, high = layer.partial
    layer.partial = min(low, low + int(added.min())), max(high, high + int(added.max()))
    layer.accumulator = accumulator_type(*layer.partial, f"Node {layer.node}: its sum")
    layer.stage = _of_raised_sums(stage, added, layer)
    layer.remark = f"sums of stored values within {layer.partial[0]}..{layer.partial[1]}"


def _of_raised_sums(stage: Affine | Search, added: np.ndarray, layer: Layer) -> Affine | Search:
    """What `stage` gives for sums that are larger by `added`, per channel or one for all."""
    if isinstance(stage, Search):
        return Search(stage.thresholds + added[:, None], stage.scale, stage.bias, stage.wide or layer.accumulator == "int64_t")
    found = Affine(stage.multiplier, stage.offset - stage.multiplier * added, stage.shift, stage.low, stage.high, stage.even)
    found.wide = stage.even or not found.fits_32_bits(*layer.partial)
    return found


def _rebase_inputs(part: Part) -> None:
    """Give signed inputs a copy that can be rebased: the copy that orders an image anyhow, or one more."""
    for layer in list(part.layers):
        if layer.kernel == "ms_copy" and layer.inputs[0].root in part.inputs and layer.inputs[0].root.ctype == "int8_t" and _fills(layer):
            s = layer.shape
            zero = Tensor("rebase", (1,), 0, 0, np.zeros(1, np.int64))
            first = layer.inputs[0].root.view(layer.inputs[0].name, np.array([s["x_start"]]))
            layer.kernel, layer.operator, layer.accumulator, layer.inputs = "ms_add", "Rebase", "int32_t", [first, zero]
            layer.shape = {"size": s["size"], "x_step": s["x_step"], "w_step": [0, 0, 0, 0]}
    for tensor in part.inputs:
        readers = [r for r in part.readers(tensor) if r.kernel in SUMMING and isinstance(r.stage, Affine)]
        if tensor.ctype == "int8_t" and readers and len(readers) == len(part.readers(tensor)):
            _copy_input(part, tensor, readers)


def _fills(layer: Layer) -> bool:
    return layer.shape["y_start"] == 0 and np.array_equal(walk(layer.shape, "y_step").ravel(), np.arange(layer.output.root.size))


def _copy_input(part: Part, tensor: Tensor, readers: list[Layer]) -> None:
    y = Tensor(f"{tensor.name}_bytes", tensor.shape, tensor.low, tensor.high)
    zero = Tensor("rebase", (1,), 0, 0, np.zeros(1, np.int64))
    shape = {"size": [1, 1, 1, tensor.size], "x_step": [0, 0, 0, 1], "w_step": [0, 0, 0, 0]}
    first = min(part.layers.index(r) for r in readers)
    part.layers.insert(first, Layer(readers[0].node, "Rebase", "ms_add", [tensor, zero], y, shape, "int32_t"))
    for reader in readers:
        reader.inputs = [y.view(t.name, t.places) if t.root is tensor else t for t in reader.inputs]
