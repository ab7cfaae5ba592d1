"""Put layers of uint8 by int8 whose stage is a line on the specialised kernels ms_*_u8."""

from __future__ import annotations

import numpy as np

from microstage.requantise import MultiplyAddShift, Raw
from microstage_cbackend.kernels.layouts import depthwise_lanes, row_depth
from microstage_cbackend.passes.fuse import SUMMING
from microstage_cbackend.program.ir import KernelCall, Part, Tensor
from microstage_cbackend.program.one_step import one_step

__all__ = ["as_unsigned", "residual", "specialise", "taps", "window_shape"]

_WORTH = 4096
"Weights below which packing into fewer bits saves less flash than it costs time."


def specialise(part: Part) -> None:
    """Choose the specialised kernels for all layers that fit them, with padding in a buffer of its own."""
    as_unsigned(part)
    for layer in list(part.layers):
        if not _fits(layer):
            continue
        if isinstance(layer.stage, MultiplyAddShift) and layer.output.ctype in ("uint8_t", "int8_t"):
            layer.stage = one_step(layer.stage)
            _choose(part, layer, layer.stage)
        elif isinstance(layer.stage, Raw) and layer.output.ctype == "int32_t":
            if layer.kernel in ("ms_linear", "ms_conv2d"):
                _sum(part, layer)


def as_unsigned(part: Part) -> None:
    """Store signed bytes that are never negative as unsigned ones."""
    for tensor in dict.fromkeys(layer.output.root for layer in part.layers):
        if tensor.ctype == "int8_t" and tensor.low >= 0 and tensor not in part.outputs:
            tensor.declared = "uint8_t"


def _choose(part: Part, layer: KernelCall, line: MultiplyAddShift) -> None:
    """Choose the specialised kernel of a layer of bytes whose stage is `line`."""
    if layer.kernel in SUMMING:
        _sum(part, layer)
    elif layer.kernel == "ms_blend":
        residual(layer, line)
    elif layer.kernel == "ms_sum_pool":
        s = layer.shape
        if s["outer"] == 1 and s["pad_top"] + s["pad_left"] == 0:
            layer.kernel, layer.shape = "ms_average_u8", taps(s, s["inner"])


def _fits(layer: KernelCall) -> bool:
    """Tell whether bytes come in, and sums have 32 bits in any order."""
    narrow = layer.accumulator in ("", "int32_t") and max(map(abs, layer.partial)) < 2**31
    return narrow and layer.inputs[0].ctype == "uint8_t" and layer.bias is None


def _sum(part: Part, layer: KernelCall) -> None:
    if layer.inputs[1].ctype != "int8_t" or (layer.kernel == "ms_conv2d" and layer.shape["groups"] != 1):
        return
    s, depthwise = layer.shape, layer.kernel == "ms_depthwise"
    bits = 8 if depthwise else _bits(layer)
    _unpadded(part, layer, depthwise_lanes(s["channels"]) - s["channels"] if depthwise else 32 // bits)
    if depthwise:
        layer.kernel, layer.scratch, layer.shape = "ms_depthwise_u8", 0, taps(layer.shape, layer.shape["channels"])
    else:
        _conv(layer, bits)


def _bits(layer: KernelCall) -> int:
    """Count the bits in which the weights lie: 1 (-1 and +1), 2, 4 or 8; 3 lie in 4."""
    w = layer.inputs[1]
    if w.size < _WORTH or 128 * layer.inputs[0].high * (w.size // len(layer.weights)) >= 2**31:
        return 8
    if np.all(np.abs(layer.weights) == 1):
        return 1
    return next((b for b in (2, 4) if -(2 ** (b - 1)) <= w.low and w.high < 2 ** (b - 1)), 8)


def _unpadded(part: Part, layer: KernelCall, slack: int) -> None:
    """Put a padded copy of the image before `layer`, which then reads it without padding.

    The caller's image is copied too, as up to `slack` bytes behind an image may be read.
    """
    s, x = layer.shape, layer.inputs[0]
    if layer.kernel == "ms_linear":
        height, width, channels, top, left, value = 1, 1, s["rows"] * s["depth"], 0, 0, 0
        rows, columns = 1, 1
    else:
        height, width, channels = s["height"], s["width"], s["channels"]
        top, left, value = s["pad_top"], s["pad_left"], s["pad_value"]
        rows = max(_reach(s["out_height"], s["stride_h"], s["kernel_h"], s["dilation_h"]), height + top)
        columns = max(_reach(s["out_width"], s["stride_w"], s["kernel_w"], s["dilation_w"]), width + left)
    if (rows, columns) == (height, width) and x.root not in part.inputs:
        x.root.length = max(x.root.length, int(np.prod(x.root.shape)) + slack)
        return
    y = Tensor(f"{x.name}_padded", (rows, columns, channels), min(x.low, value), max(x.high, value), declared="uint8_t")
    y.length = rows * columns * channels + slack
    shape = {"height": height, "width": width, "channels": channels, "top": top, "left": left}
    shape |= {"bottom": rows - height - top, "right": columns - width - left, "value": value}
    shape |= {"x_row": width * channels, "x_column": channels, "x_channel": 1, "flip": 0}
    part.layers.insert(part.layers.index(layer), KernelCall(layer.node, "Pad", "ms_pad_u8", [x], y, shape))
    layer.inputs[0] = y
    if layer.kernel != "ms_linear":
        layer.shape = {**s, "height": rows, "width": columns, "pad_top": 0, "pad_left": 0}


def _reach(count: int, stride: int, kernel: int, dilation: int) -> int:
    """Count the positions that `count` windows of `kernel` see along one axis."""
    return (count - 1) * stride + (kernel - 1) * dilation + 1


def window_shape(s: dict, channels: int) -> dict[str, int]:
    """Return the ms_conv_u8_shape of a convolution `s` without padding over `channels` elements per pixel."""
    runs_w, length = (1, s["kernel_w"] * channels) if s["dilation_w"] == 1 else (s["kernel_w"], channels)
    row = s["width"] * channels
    shape = {
        "out_height": s["out_height"],
        "out_width": s["out_width"],
        "filters": s["filters"],
        "runs_h": s["kernel_h"],
        "runs_w": runs_w,
    }
    shape |= {"length": length, "run_h": s["dilation_h"] * row, "run_w": s["dilation_w"] * channels}
    return shape | {"x_row": s["stride_h"] * row, "x_column": s["stride_w"] * channels}


def _conv(layer: KernelCall, bits: int) -> None:
    s, w = layer.shape, layer.inputs[1]
    if layer.kernel == "ms_conv2d":
        shape = window_shape(s, s["channels"])
    else:
        shape = {
            "out_height": 1,
            "out_width": s["rows"],
            "filters": s["columns"],
            "runs_h": 1,
            "runs_w": 1,
            "length": s["depth"],
        }
        shape |= {"run_h": 0, "run_w": 0, "x_row": 0, "x_column": s["depth"]}
    depth = row_depth(shape["runs_h"] * shape["runs_w"] * shape["length"])
    rows = {"y_row": shape["out_width"] * shape["filters"], "y_column": shape["filters"]}
    patches = min(4, shape["out_height"] * shape["out_width"]) + (bits < 8)
    layer.kernel = "ms_conv_u8_sums" if isinstance(layer.stage, Raw) else "ms_conv_u8"
    layer.shape, layer.scratch = {**shape, "depth": depth, **rows, "bits": bits}, patches * depth
    weights = w.integers.reshape(shape["filters"], shape["runs_h"] * shape["runs_w"], shape["length"])
    layer.inputs[1] = Tensor(w.name, weights.shape, w.low, w.high, weights, declared="int8_t")
    layer.remark += f"; weights of {bits} bit{'s' * (bits > 1)}" * (bits < 8)


def taps(s: dict, channels: int) -> dict[str, int]:
    """Return the ms_depthwise_u8_shape of a layer `s` without padding."""
    row = s["width"] * channels
    shape = {
        "out_height": s["out_height"],
        "out_width": s["out_width"],
        "channels": channels,
        "kernel_h": s["kernel_h"],
        "kernel_w": s["kernel_w"],
    }
    shape |= {"tap_h": s.get("dilation_h", 1) * row, "tap_w": s.get("dilation_w", 1) * channels}
    shape |= {"x_row": s["stride_h"] * row, "x_column": s["stride_w"] * channels}
    return shape | {"y_row": s["out_width"] * channels, "y_column": channels}


def residual(layer: KernelCall, stage: MultiplyAddShift) -> None:
    """Put a dense sum of two tensors on its specialised kernel, where every step fits 32 bits."""
    s = layer.shape
    if stage.multiplier.size > 1 or stage.offset.size > 1 or stage.kink is not None:
        return  # channels differ, or the line is none
    w, times = layer.inputs[1], int(stage.multiplier[0])
    a, b, sums = times * s["x_multiplier"], times * s["w_multiplier"], [times * end for end in layer.partial]
    count = int(np.prod(s["size"]))
    dense = (
        s["x_step"] == s["w_step"] == [0, 0, 0, 1]
        and s["size"] == [1, 1, 1, count]
        and w.ctype == "uint8_t"
        and w.data is None
    )
    flip = 128 if layer.output.ctype == "int8_t" else 0
    half = 1 << (stage.shift - 1) if stage.even and stage.shift else 0
    offset = int(stage.offset[0]) + half + (flip << stage.shift)
    reach = (*sums, *(v + offset for v in sums), offset, 255 * a, 255 * b)
    if not dense or max(map(abs, reach)) >= 2**31 or stage.shift > 30:
        return
    layer.kernel = "ms_add_u8"
    layer.shape = {"count": count, "multiplier_a": a, "multiplier_b": b, "offset": offset, "shift": stage.shift}
    layer.shape |= {
        "low": stage.low + flip,
        "high": stage.high + flip,
        "even": int(stage.even),
        "zero": int(stage.odd),
        "flip": flip,
    }
