"""Recognise convolutions that a graph writes otherwise.

join_patches   Im2Col, then the matrix product that alone reads its patches, is one convolution
split_groups   a convolution that is zero outside diagonal blocks is one with groups
sum_windows    a depthwise convolution with ones is a sum of windows, which an average is made of
"""

from __future__ import annotations

from math import gcd

import numpy as np

from microstage.requantise import Search
from microstage_cbackend.passes.fuse import producer
from microstage_cbackend.program.ir import KernelCall, Part, Tensor

__all__ = ["join_patches", "split_groups", "sum_windows"]


def join_patches(part: Part) -> None:
    """Make patches(x) @ W the convolution of x whose filters are W's columns."""
    for layer in list(part.layers):
        patches = (
            producer(part, layer.inputs[0]) if layer.kernel == "ms_linear" and part.read_once(layer.inputs[0]) else None
        )
        if patches is None or patches.kernel != "ms_im2col" or layer.shape["depth"] != _depth(patches):
            continue
        s = patches.shape
        part.layers.remove(patches)
        layer.inputs[0] = patches.inputs[0]
        plain = (
            s["kernel_h"] * s["kernel_w"] * s["stride_h"] * s["stride_w"] == 1
            and s["out_height"] == s["height"]
            and s["out_width"] == s["width"]
        )
        if not plain:
            layer.kernel, layer.operator = "ms_conv2d", f"Im2Col and {layer.operator}"
            layer.shape = {**s, "filters": layer.shape["columns"], "groups": 1}
            layer.scratch = _depth(patches)


def _depth(patches: KernelCall) -> int:
    s = patches.shape
    return s["kernel_h"] * s["kernel_w"] * s["channels"]


def split_groups(part: Part) -> None:
    """Give a convolution groups whose filters read the channels of one block alone."""
    for layer in part.layers:
        s = layer.shape
        if layer.kernel != "ms_conv2d" or s["groups"] != 1:
            continue
        taps, filters, channels = s["kernel_h"] * s["kernel_w"], s["filters"], s["channels"]
        weights = layer.weights.reshape(filters, taps, channels)
        groups = _groups(np.any(weights, axis=1))
        if groups > 1:
            blocks = weights.reshape(groups, filters // groups, taps, groups, channels // groups)
            _regroup(layer, np.stack([blocks[g, :, :, g] for g in range(groups)]).reshape(filters, taps, -1), groups)


def _groups(used: np.ndarray) -> int:
    """Return the most groups of which `used` [filters, channels] is zero outside diagonal blocks."""
    filters, channels = used.shape
    common = gcd(filters, channels)
    f, c = np.nonzero(used)
    fits = (g for g in range(common, 1, -1) if common % g == 0 and np.all(f // (filters // g) == c // (channels // g)))
    return next(fits, 1)


def _regroup(layer: KernelCall, weights: np.ndarray, groups: int) -> None:
    w, s = layer.inputs[1], layer.shape
    s["groups"] = groups
    if groups == s["channels"] == s["filters"]:
        weights = weights[:, :, 0].T.reshape(s["kernel_h"], s["kernel_w"], groups)
        layer.kernel, layer.scratch = "ms_depthwise", groups
    else:
        layer.scratch = weights[0].size
    data = np.ascontiguousarray(weights)
    layer.inputs[1] = Tensor(w.name, data.shape, int(data.min()), int(data.max()), data)


def sum_windows(part: Part) -> None:
    """Make a depthwise convolution with ones a sum of each window of a channel.

    Nothing may be padded, dilated or added, and one stage must serve all channels.
    """
    for layer in part.layers:
        s, stage = layer.shape, layer.stage
        if layer.kernel != "ms_depthwise" or layer.bias is not None or np.any(layer.weights != 1):
            continue
        single = isinstance(stage, Search) and len(stage.thresholds) == 1
        if (
            single
            and not s["pad_top"] + s["pad_left"]
            and s["dilation_h"] * s["dilation_w"] == 1
            and not _reaches_out(s)
        ):
            names = "height width out_height out_width kernel_h kernel_w stride_h stride_w pad_top pad_left".split()
            layer.kernel, layer.shape = (
                "ms_sum_pool",
                {"outer": 1, "inner": s["channels"], **{name: s[name] for name in names}},
            )
            layer.inputs, layer.scratch = layer.inputs[:1], 0
            layer.reach = layer.reach[0].min(keepdims=True), layer.reach[1].max(keepdims=True)


def _reaches_out(s: dict) -> bool:
    """Tell whether the last window ends in padding."""
    ends = (
        (s[f"out_{b}"] - 1) * s[f"stride_{a}"] + s[f"kernel_{a}"] - s[b] for a, b in (("h", "height"), ("w", "width"))
    )
    return any(end > 0 for end in ends)
