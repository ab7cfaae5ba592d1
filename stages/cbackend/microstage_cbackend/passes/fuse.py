"""Layers that follow a layer which sums, drawn into it."""

from __future__ import annotations

import numpy as np

from microstage_cbackend.program.ir import KernelCall, Part, Tensor, accumulator_type, ends_by_channel
from microstage_cbackend.program.places import walk
from microstage_cbackend.program.requantise import Raw, Search

__all__ = ["SUMMING", "fuse_constants", "fuse_stages", "lift_stages"]

SUMMING = ("ms_linear", "ms_conv2d", "ms_depthwise")
"Kernels with one bias and one row of a stage per channel, whose results lie channels last."


def channels_of(layer: KernelCall) -> int:
    """Channels of the result of a layer in SUMMING."""
    return layer.shape["columns"] if layer.kernel == "ms_linear" else layer.shape["filters"]


def producer(part: Part, tensor: Tensor) -> KernelCall | None:
    """The one layer that fills all of `tensor`'s memory, where `tensor` is all of it."""
    found = [layer for layer in part.layers if layer.output.root is tensor.root]
    whole = tensor.start == 0 and int(np.prod(tensor.shape)) == tensor.root.size
    return found[0] if len(found) == 1 and whole else None


def lift_stages(part: Part) -> None:
    """max(x) then stage is stage then max, as no stage falls: the pool moves small integers, the stage can be fused."""
    for layer in list(part.layers):
        if (
            layer.kernel != "ms_stage"
            or not isinstance(layer.stage, Search)
            or layer.stage.scale < 0
            or not part.read_once(layer.inputs[0])
        ):
            continue
        pool = producer(part, layer.inputs[0])
        if pool is None or pool.kernel != "ms_max_pool" or pool.shape["outer"] != 1:
            continue
        rows = _rows_by_channel(layer, pool.shape["inner"])
        if rows is None:
            continue
        x, y = pool.inputs[0], layer.output
        between = Tensor(f"{y.name}_before_pool", x.shape, y.low, y.high)
        pixels = pool.shape["height"] * pool.shape["width"]
        layer.stage = layer.stage.of_rows(rows)
        layer.shape = {"outer": pixels, "channels": pool.shape["inner"], "inner": 1}
        layer.reach = ends_by_channel(x, *layer.shape.values())
        layer.inputs, layer.output, pool.inputs, pool.output = [x], between, [between], y
        here, there = part.layers.index(pool), part.layers.index(layer)
        part.layers.remove(layer)
        part.layers.insert(here, layer)
        assert here < there


def _rows_by_channel(layer: KernelCall, channels: int) -> np.ndarray | None:
    """Row of the stage of each of `channels` values that lie next to one another, or None where rows follow something
    else."""
    s = layer.shape
    if layer.stage.rows == 1:
        return np.zeros(channels, np.int64)
    labels = np.tile(np.repeat(np.arange(s["channels"]), s["inner"]), s["outer"])
    if labels.size % channels or np.any(labels.reshape(-1, channels) != labels[:channels]):
        return None
    return labels[:channels]


def fuse_constants(part: Part) -> None:
    """A sum, then constants that are added to it or multiply it channel by channel: its bias and its weights."""
    for layer in list(part.layers):
        if layer.kernel not in ("ms_add", "ms_mul") or not _constant_second(layer):
            continue
        x = layer.inputs[0]
        summing = producer(part, x) if part.read_once(x) else None
        if summing is None or summing.kernel not in SUMMING or not isinstance(summing.stage, Raw):
            continue
        constants = _by_channel(layer, channels_of(summing), summing.output.size)
        if constants is None or (layer.kernel == "ms_add" and summing.bias is not None):
            continue
        if layer.kernel == "ms_add":
            _give_bias(summing, layer, constants)
        elif not _give_factors(summing, layer, constants):
            continue
        part.layers.remove(layer)


def _constant_second(layer: KernelCall) -> bool:
    """Whether one operand is constant; it is made the second."""
    if layer.inputs[1].data is None and layer.inputs[0].data is not None:
        layer.inputs = layer.inputs[::-1]
        layer.shape["x_step"], layer.shape["w_step"] = layer.shape["w_step"], layer.shape["x_step"]
    return layer.inputs[1].data is not None and layer.inputs[0].data is None


def _by_channel(layer: KernelCall, channels: int, size: int) -> np.ndarray | None:
    read = (layer.inputs[0].start + walk(layer.shape, "x_step")).ravel()
    values = np.broadcast_to(layer.weights.ravel()[walk(layer.shape, "w_step")], layer.shape["size"]).ravel()
    if not np.array_equal(read, np.arange(size)) or np.any(values.reshape(-1, channels) != values[:channels]):
        return None
    return values[:channels].copy()


def _give_bias(summing: KernelCall, layer: KernelCall, bias: np.ndarray) -> None:
    low, high = summing.partial
    least, most = int(bias.min()), int(bias.max())
    summing.bias = Tensor(f"{layer.output.name}_bias", bias.shape, least, most, bias)
    _widen_sum(summing, layer, min(low, low + least, least), max(high, high + most, most))


def _give_factors(summing: KernelCall, layer: KernelCall, factors: np.ndarray) -> bool:
    """Multiply weights and bias by small `factors`; large ones would only widen the weights."""
    if np.abs(factors).max() > 1:
        return False
    w = summing.inputs[1]
    by_channel = factors if summing.kernel == "ms_depthwise" else factors.reshape([-1] + [1] * (w.data.ndim - 1))
    data = w.data * by_channel
    summing.inputs[1] = Tensor(w.name, data.shape, int(data.min()), int(data.max()), data)
    if summing.bias is not None:
        bias = summing.bias.data * factors
        summing.bias = Tensor(summing.bias.name, bias.shape, int(bias.min()), int(bias.max()), bias)
    low, high = summing.partial
    _widen_sum(summing, layer, min(low, -high), max(high, -low))
    return True


def _widen_sum(summing: KernelCall, layer: KernelCall, low: int, high: int) -> None:
    summing.partial = low, high
    summing.accumulator = accumulator_type(low, high, f"Node {layer.node}: its sum")
    summing.stage = Raw(summing.accumulator == "int64_t")
    if summing.bias is not None:
        summing.bias.declared = summing.accumulator
    summing.output = layer.output
    summing.remark = f"partial sums within {low}..{high}, {summing.accumulator}"


def fuse_stages(part: Part) -> None:
    """A sum, then its stage: one layer, with the bias in the thresholds."""
    for layer in list(part.layers):
        before = (
            producer(part, layer.inputs[0]) if layer.kernel == "ms_stage" and part.read_once(layer.inputs[0]) else None
        )
        if before is None or not _take_stage(before, layer):
            continue
        before.stage.wide = before.accumulator == "int64_t" or layer.stage.wide
        before.remark += f"; {layer.remark}"
        before.operator += f" and {layer.operator}" if layer.operator != before.operator else ""
        before.output = layer.output
        part.layers.remove(layer)
        # the layer may now stand before a tensor that both read; it stands where the sum stood, which is before every
        # reader


def _take_stage(before: KernelCall, layer: KernelCall) -> bool:
    """Give the sum `before` the stage of `layer`; whether it can have it."""
    stage, single = layer.stage, layer.stage.rows == 1
    if before.kernel in SUMMING and isinstance(before.stage, Raw):
        rows = _rows_by_channel(layer, channels_of(before))
        if rows is None:
            return False
        bias = before.bias.data if before.bias is not None else np.zeros(1, np.int64)
        before.reach = tuple(end - bias for end in ends_by_channel(before.output, -1, channels_of(before), 1))
        own = stage if single and isinstance(stage, Search) else stage.of_rows(rows)
        before.stage, before.bias = own.of_raised(-bias), None
    elif single and before.kernel == "ms_add":
        before.kernel, before.stage, before.reach = "ms_blend", stage, layer.reach
        before.shape |= {"x_multiplier": 1, "w_multiplier": 1}
        before.partial = (before.output.low, before.output.high)
    else:
        return False
    return True
