"""Lower operators that choose among integers: pools, the larger of two, places of the largest."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce

import numpy as np

from microstage_rtl.program.requantisation import raw
from microstage_rtl.read.node import LoweredNode, Value
from microstage_rtl.read.products import first_again, image_of, pads_of, windows

__all__ = ["extreme", "max_pool", "top"]


def max_pool(node: LoweredNode) -> Value:
    """Lower the largest of each window, channels first, or last for MaxPoolNHWC; what is outside does not count."""
    said, x, last = node.attributes, node.tensor(), node.operator == "MaxPoolNHWC"
    spatial = len(said["kernel_shape"])
    if len(node.outputs) > 1 or said.get("ceil_mode", 0) or said.get("auto_pad", "NOTSET") not in ("NOTSET", "VALID"):
        raise node.refuse("pools with indices, ceil_mode or auto_pad; give pads, and leave the indices out.")
    if spatial not in (1, 2) or len(x.shape) != spatial + 2 or last and spatial != 2:
        raise node.refuse(f"pools {list(x.shape)} by {list(said['kernel_shape'])}; one and two dimensions can be.")
    strides, dilations = ([1] * (2 - spatial) + list(said.get(n, [1] * spatial)) for n in ("strides", "dilations"))
    kernel = [1] * (2 - spatial) + list(said["kernel_shape"])
    pads = pads_of(list(said.get("pads", [0] * 2 * spatial)))
    if any(pads[i] > dilations[i % 2] * (kernel[i % 2] - 1) for i in range(4)):
        raise node.refuse("pools windows that lie in the padding alone; use less padding.")
    image = x if last else image_of(x)
    sums = node.builder.pool(node.name, windows(node, image, kernel, strides, dilations, pads, x.ends[0]))
    return sums if last else first_again(sums, spatial)


def extreme(node: LoweredNode) -> Value:
    """Lower the largest or smallest of tensors at each place; a constant, which all places share, is a limit."""
    numbers = [i for i, value in enumerate(node.inputs) if isinstance(value, np.ndarray)]
    limits = [node.constant(i, "limit") for i in numbers]
    tensors = [node.tensor(i) for i in range(len(node.inputs)) if i not in numbers]
    if not tensors or any(np.ptp(limit) for limit in limits):
        raise node.refuse("compares with a constant that differs from place to place; one for all can be.")
    kind, ends = ("largest", np.maximum) if node.operator == "Max" else ("smallest", np.minimum)
    x = reduce(lambda a, b: node.builder.stored(node.builder.pair(node.name, a, b, kind)), tensors)
    for limit in limits:
        sums = node.builder.each(node.name, x)
        low, high = (ends(end, int(limit.flat[0])) for end in (sums.low, sums.high))
        x = node.builder.store(sums, raw(int(low.min()), int(high.max())), low, high)
    return x


def top(node: LoweredNode) -> Mapping[str, Value]:
    """Lower the place of the largest along an axis, the lowest one among equals; of TopK its value too."""
    x, said = node.tensor(), node.attributes
    ranks = node.operator == "TopK"
    keep = int(np.ravel(node.constant(1, "count"))[0]) if ranks else 1
    axis = said.get("axis", -1 if ranks else 0) % len(x.shape)
    if keep != 1 or not said.get("largest", 1) or said.get("select_last_index", 0):
        raise node.refuse("ranks more than the first largest; the machine finds only that one.")
    rows = x.moved(lambda array: np.moveaxis(array, axis, -1))
    kinds = dict(zip(node.outputs, ("largest", "place"))) if ranks else {node.name: "place"}
    found = {}
    for name, kind in kinds.items():
        if name and (kind == "place" or name in node.used):
            y = node.builder.stored(node.builder.largest(name, rows, kind))
            found[name] = y.moved(lambda array: np.moveaxis(array, -1, axis))
            if not ranks and not said.get("keepdims", 1):
                found[name] = found[name].moved(lambda array: array.squeeze(axis))
    return found
