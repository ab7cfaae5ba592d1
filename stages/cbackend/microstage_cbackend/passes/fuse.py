"""Draw layers that follow a layer which sums into it."""

from __future__ import annotations

import numpy as np

from microstage.requantise import Raw, Search
from microstage_cbackend.program.ir import KernelCall, Part, RowStage, Tensor, accumulator_type, ends_by_channel
from microstage_cbackend.program.places import walk

__all__ = ["SUMMING", "fuse_constants", "fuse_stages", "lift_stages"]

SUMMING = ("ms_linear", "ms_conv2d", "ms_depthwise")
"Kernels with one bias and one row of a stage per channel, whose results lie channels last."


def channels_of(layer: KernelCall) -> int:
    """Count the channels of the result of a layer in SUMMING."""
    return layer.shape["columns"] if layer.kernel == "ms_linear" else layer.shape["filters"]


def producer(part: Part, tensor: Tensor) -> KernelCall | None:
    """Return the one layer that fills all of `tensor`'s memory, where `tensor` is all of it, else None."""
    found = [layer for layer in part.layers if layer.output.root is tensor.root]
    whole = tensor.start == 0 and int(np.prod(tensor.shape)) == tensor.root.size
    return found[0] if len(found) == 1 and whole else None


def lift_stages(part: Part) -> None:
    """Put a stage before the pool that it follows.

    As no stage falls, the stage of a maximum is the maximum of stages. The pool then moves small integers, and the
    stage can be fused.
    """
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
        rows = _rows_by_channel(layer, layer.stage, pool.shape["inner"])
        if rows is not None:
            _swap(part, pool, layer, layer.stage.of_rows(rows))


def _swap(part: Part, pool: KernelCall, layer: KernelCall, stage: Search) -> None:
    """Put `layer` before the `pool` that it follows, with the `stage` of its channels."""
    x, y = pool.inputs[0], layer.output
    between = Tensor(f"{y.name}_before_pool", x.shape, y.low, y.high)
    pixels = pool.shape["height"] * pool.shape["width"]
    layer.stage = stage
    layer.shape = {"outer": pixels, "channels": pool.shape["inner"], "inner": 1}
    layer.reach = ends_by_channel(x, *layer.shape.values())
    layer.inputs, layer.output, pool.inputs, pool.output = [x], between, [between], y
    part.layers.remove(layer)
    part.layers.insert(part.layers.index(pool), layer)


def _rows_by_channel(layer: KernelCall, stage: RowStage, channels: int) -> np.ndarray | None:
    """Return which row of the `stage` of `layer` each of `channels` values takes that lie next to one another.

    Returns None where rows follow something else.
    """
    s = layer.shape
    if stage.rows == 1:
        return np.zeros(channels, np.int64)
    labels = np.tile(np.repeat(np.arange(s["channels"]), s["inner"]), s["outer"])
    if labels.size % channels or np.any(labels.reshape(-1, channels) != labels[:channels]):
        return None
    return labels[:channels]


def fuse_constants(part: Part) -> None:
    """Make constants that are added to a sum, or multiply it, channel by channel, its bias and its weights."""
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
    """Tell whether one operand is constant; it is made the second."""
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
    weights = summing.weights
    by_channel = factors if summing.kernel == "ms_depthwise" else factors.reshape([-1] + [1] * (weights.ndim - 1))
    data = weights * by_channel
    summing.inputs[1] = Tensor(w.name, data.shape, int(data.min()), int(data.max()), data)
    if summing.bias is not None:
        bias = summing.bias.integers * factors
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
    """Make one layer of a sum and the stage that follows it, with the bias in the thresholds."""
    for layer in list(part.layers):
        stage = layer.stage
        if layer.kernel != "ms_stage" or not isinstance(stage, RowStage) or not part.read_once(layer.inputs[0]):
            continue
        before = producer(part, layer.inputs[0])
        taken = _take_stage(before, layer, stage) if before else None
        if before is None or taken is None:
            continue
        taken.wide = before.accumulator == "int64_t" or stage.wide
        before.stage = taken
        before.remark += f"; {layer.remark}"
        before.operator += f" and {layer.operator}" if layer.operator != before.operator else ""
        before.output = layer.output
        part.layers.remove(layer)
        # the layer may now stand before a tensor that both read; it stands where the sum stood, which is before every
        # reader


def _take_stage(before: KernelCall, layer: KernelCall, stage: RowStage) -> RowStage | None:
    """Prepare the sum `before` for the `stage` of `layer`; return the stage that it takes, None where it cannot."""
    single = stage.rows == 1
    if before.kernel in SUMMING and isinstance(before.stage, Raw):
        rows = _rows_by_channel(layer, stage, channels_of(before))
        if rows is None:
            return None
        bias = before.bias.integers if before.bias is not None else np.zeros(1, np.int64)
        before.reach = tuple(end - bias for end in ends_by_channel(before.output, -1, channels_of(before), 1))
        before.bias = None
        own = stage if single and isinstance(stage, Search) else stage.of_rows(rows)
        return own.of_raised(-bias)
    if single and before.kernel == "ms_add":
        before.kernel, before.reach = "ms_blend", layer.reach
        before.shape |= {"x_multiplier": 1, "w_multiplier": 1}
        before.partial = (before.output.low, before.output.high)
        return stage
    return None
