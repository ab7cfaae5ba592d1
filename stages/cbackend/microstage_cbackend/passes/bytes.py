"""Layers of 8 bits on the specialised kernels, which multiply unsigned bytes by signed ones.

    rebase       a signed activation x is stored as x + 128; the change is absorbed by the stages and sums around it
    specialise   layers whose operands are then uint8 and int8 and whose stage is affine call ms_*_u8
"""

from __future__ import annotations

import numpy as np

from microstage_cbackend.ir import Layer, Part, Tensor, accumulator_type
from microstage_cbackend.passes.fuse import SUMMING, channels_of
from microstage_cbackend.stages import Affine, Search, Shared

__all__ = ["rebase", "specialise"]

_SHIFT = 128
_SLACK = 8
"Bytes behind a buffer that a vector kernel may read; their weights are 0."


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
    from microstage_cbackend.interpret import _walk

    return layer.shape["y_start"] == 0 and np.array_equal(_walk(layer.shape, "y_step").ravel(), np.arange(layer.output.root.size))


def _copy_input(part: Part, tensor: Tensor, readers: list[Layer]) -> None:
    y = Tensor(f"{tensor.name}_bytes", tensor.shape, tensor.low, tensor.high)
    zero = Tensor("rebase", (1,), 0, 0, np.zeros(1, np.int64))
    shape = {"size": [1, 1, 1, tensor.size], "x_step": [0, 0, 0, 1], "w_step": [0, 0, 0, 0]}
    first = min(part.layers.index(r) for r in readers)
    part.layers.insert(first, Layer(readers[0].node, "Rebase", "ms_add", [tensor, zero], y, shape, "int32_t"))
    for reader in readers:
        reader.inputs = [y.view(t.name, t.places) if t.root is tensor else t for t in reader.inputs]


def specialise(part: Part) -> None:
    """uint8 by int8 with an affine stage into uint8: the specialised kernels, with padding in a buffer of its own."""
    for layer in list(part.layers):
        x, y = layer.inputs[0], layer.output
        affine = isinstance(layer.stage, Affine) and layer.stage.low >= 0 and layer.accumulator in ("", "int32_t")
        if not affine or x.ctype != "uint8_t" or y.ctype != "uint8_t" or layer.bias is not None or max(map(abs, layer.partial)) >= 2**31:
            continue
        if layer.kernel in SUMMING and layer.inputs[1].ctype == "int8_t":
            if layer.kernel == "ms_conv2d" and layer.shape["groups"] != 1:
                continue
            _unpadded(part, layer)
            _BYTES[layer.kernel](layer)
        elif layer.kernel == "ms_sum_pool" and layer.shape["outer"] == 1 and layer.shape["pad_top"] + layer.shape["pad_left"] == 0:
            _average(layer)
        elif layer.kernel == "ms_blend":
            _residual(layer)


def _unpadded(part: Part, layer: Layer) -> None:
    """Put a padded copy of the image before `layer`; a copy too where the image is the caller's, behind which nothing may be read."""
    s, x = layer.shape, layer.inputs[0]
    if layer.kernel == "ms_linear":
        if x.root not in part.inputs:
            x.root.length = x.root.length or x.root.size + _SLACK
            return
        s = {"height": 1, "width": 1, "channels": s["rows"] * s["depth"], "pad_top": 0, "pad_left": 0, "out_height": 1, "out_width": 1}
        s |= {"stride_h": 1, "stride_w": 1, "kernel_h": 1, "kernel_w": 1, "dilation_h": 1, "dilation_w": 1, "pad_value": 0}
    height = max((s["out_height"] - 1) * s["stride_h"] + (s["kernel_h"] - 1) * s["dilation_h"] + 1, s["height"] + s["pad_top"])
    width = max((s["out_width"] - 1) * s["stride_w"] + (s["kernel_w"] - 1) * s["dilation_w"] + 1, s["width"] + s["pad_left"])
    if (height, width) == (s["height"], s["width"]) and x.root not in part.inputs:
        x.root.length = x.root.length or x.root.size + _SLACK
        return
    size = height * width * s["channels"]
    y = Tensor(f"{x.name}_padded", (height, width, s["channels"]), min(x.low, s["pad_value"]), max(x.high, s["pad_value"]), declared="uint8_t")
    y.length = size + _SLACK
    bottom, right = height - s["height"] - s["pad_top"], width - s["width"] - s["pad_left"]
    shape = {"height": s["height"], "width": s["width"], "channels": s["channels"], "top": s["pad_top"], "left": s["pad_left"]}
    shape |= {"bottom": bottom, "right": right, "value": s["pad_value"]}
    part.layers.insert(part.layers.index(layer), Layer(layer.node, "Pad", "ms_pad_u8", [x], y, shape))
    layer.inputs[0] = y
    if layer.kernel != "ms_linear":
        layer.shape = {**s, "height": height, "width": width, "pad_top": 0, "pad_left": 0}


def _conv(layer: Layer) -> None:
    s, w = layer.shape, layer.inputs[1]
    joined = s["dilation_w"] == 1
    runs_w, length = (1, s["kernel_w"] * s["channels"]) if joined else (s["kernel_w"], s["channels"])
    row = s["width"] * s["channels"]
    shape = {"out_height": s["out_height"], "out_width": s["out_width"], "filters": s["filters"], "runs_h": s["kernel_h"], "runs_w": runs_w}
    shape |= {"length": length, "run_h": s["dilation_h"] * row, "run_w": s["dilation_w"] * s["channels"]}
    shape |= {"x_row": s["stride_h"] * row, "x_column": s["stride_w"] * s["channels"]}
    _finish_conv(layer, w.data.reshape(s["filters"], s["kernel_h"] * runs_w, length), shape)


def _linear(layer: Layer) -> None:
    s, w = layer.shape, layer.inputs[1]
    shape = {"out_height": 1, "out_width": s["rows"], "filters": s["columns"], "runs_h": 1, "runs_w": 1, "length": s["depth"]}
    shape |= {"run_h": 0, "run_w": 0, "x_row": 0, "x_column": s["depth"]}
    _finish_conv(layer, w.data.reshape(s["columns"], 1, s["depth"]), shape)


def _finish_conv(layer: Layer, weights: np.ndarray, shape: dict[str, int]) -> None:
    from microstage_cbackend.kernels import row_depth

    depth = row_depth(shape["runs_h"] * shape["runs_w"] * shape["length"])
    rows = {"y_row": shape["out_width"] * shape["filters"], "y_column": shape["filters"]}
    layer.kernel, layer.shape, layer.scratch = "ms_conv_u8", {**shape, "depth": depth, **rows}, ("int16_t", 4 * depth)
    layer.inputs[1] = Tensor(layer.inputs[1].name, weights.shape, layer.inputs[1].low, layer.inputs[1].high, weights, declared="int8_t")


def _depthwise(layer: Layer) -> None:
    layer.kernel, layer.scratch, layer.shape = "ms_depthwise_u8", None, _taps(layer.shape, layer.shape["channels"])


def _taps(s: dict, channels: int) -> dict[str, int]:
    row = s["width"] * channels
    shape = {"out_height": s["out_height"], "out_width": s["out_width"], "channels": channels, "kernel_h": s["kernel_h"], "kernel_w": s["kernel_w"]}
    shape |= {"tap_h": s.get("dilation_h", 1) * row, "tap_w": s.get("dilation_w", 1) * channels}
    shape |= {"x_row": s["stride_h"] * row, "x_column": s["stride_w"] * channels}
    return shape | {"y_row": s["out_width"] * channels, "y_column": channels}


def _average(layer: Layer) -> None:
    layer.kernel, layer.shape = "ms_average_u8", _taps(layer.shape, layer.shape["inner"])


def _residual(layer: Layer) -> None:
    """A dense sum of two tensors whose every step fits 32 bits."""
    s, stage = layer.shape, layer.stage
    x, w = layer.inputs
    count = int(np.prod(s["size"]))
    dense = s["x_step"] == s["w_step"] == [0, 0, 0, 1] and s["size"] == [1, 1, 1, count] and w.ctype == "uint8_t"
    half = 1 << (stage.shift - 1) if stage.even and stage.shift else 0
    offset = int(stage.offset[0]) + half
    reach = (*layer.partial, *(v + offset for v in layer.partial), offset, 255 * s["x_multiplier"], 255 * s["w_multiplier"])
    if not dense or max(map(abs, reach)) >= 2**31 or stage.shift > 30:
        return
    layer.kernel = "ms_add_u8"
    layer.shape = {"count": count, "multiplier_a": s["x_multiplier"], "multiplier_b": s["w_multiplier"], "offset": offset, "shift": stage.shift}
    layer.shape |= {"low": stage.low, "high": stage.high, "even": int(stage.even), "zero": 0}


_BYTES = {"ms_conv2d": _conv, "ms_linear": _linear, "ms_depthwise": _depthwise}
