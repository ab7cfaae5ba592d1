"""Lowerings of the operators that compute: matrix products, convolutions, sums, products, pooling.

Each proves, in integers, the range of its result from the ranges of its operands.
"""

from __future__ import annotations

from math import prod

import numpy as np

from microstage_cbackend.ir import Tensor, accumulator_type
from microstage_cbackend.operators import Node, dense_steps, lowers, merge

__all__ = ["dot_range"]


def dot_range(weights: np.ndarray, low: int, high: int, bias: np.ndarray | None = None) -> tuple[int, int, int, int]:
    """(low, high) of the results and (low, high) of all partial sums of weights[outputs, depth] times values in low..high.

    A partial sum in any order stays between the sum of all negative and the sum of all positive products; Python
    integers, so nothing wraps.
    """
    exact = weights.astype(object) if int(np.abs(weights).max()) * weights.shape[1] >= 2**62 else weights
    ups = [int(v) for v in np.maximum(exact, 0).sum(axis=1)]
    downs = [int(v) for v in np.minimum(exact, 0).sum(axis=1)]
    offsets = [int(b) for b in bias] if bias is not None else [0] * len(ups)
    lows = [up * low + down * high + b for up, down, b in zip(ups, downs, offsets)]
    highs = [up * high + down * low + b for up, down, b in zip(ups, downs, offsets)]
    least, most = min(low, 0), max(high, 0)
    partial_low = min(up * least + down * most for up, down in zip(ups, downs))
    partial_high = max(up * most + down * least for up, down in zip(ups, downs))
    return min(lows), max(highs), min(partial_low, *lows), max(partial_high, *highs)


def _sum_remark(low: int, high: int, accumulator: str) -> str:
    return f"partial sums within {low}..{high}, {accumulator}"


@lowers("MatMul")
def matmul(node: Node) -> list[Tensor]:
    """Rows of x times a constant matrix."""
    x, weights = node.inputs[0], node.constant(1, "right-hand matrix")
    if weights.ndim != 2 or x.data is not None or x.shape[-1] != weights.shape[0]:
        raise node.refuse(f"multiplies {list(x.shape)} by {list(weights.shape)}; values [..., depth] by constants [depth, columns] can be made.")
    low, high, *partial = dot_range(weights.T, x.low, x.high)
    accumulator = accumulator_type(*partial, f"{node.place}: its sum")
    y = Tensor(node.outputs[0], (*x.shape[:-1], weights.shape[1]), low, high)
    shape = {"rows": prod(x.shape[:-1]), "depth": weights.shape[0], "columns": weights.shape[1]}
    return node.layer("ms_matmul", [x, node.inputs[1]], y, shape, accumulator, _sum_remark(*partial, accumulator))


@lowers("Conv")
def conv(node: Node) -> list[Tensor]:
    """1-D or 2-D, channels first; a bias is added by a second layer."""
    x, weights = node.inputs[0], node.constant(1, "weights")
    spatial = weights.ndim - 2
    if spatial not in (1, 2) or len(x.shape) != weights.ndim or x.data is not None:
        raise node.refuse(f"convolves {list(x.shape)} with {list(weights.shape)}; 1-D and 2-D convolutions by constants can be made.")
    groups = node.attribute("group", 1)
    if weights.shape[1] * groups != x.shape[1] or weights.shape[0] % groups:
        raise node.refuse(f"has {x.shape[1]} channels, {groups} groups and weights {list(weights.shape)}, which do not agree.")
    window = _Window(node, x.shape[2:], list(weights.shape[2:]))
    padded = window.padded
    low, high = (min(x.low, 0), max(x.high, 0)) if padded else (x.low, x.high)
    low, high, *partial = dot_range(weights.reshape(weights.shape[0], -1), low, high)
    accumulator = accumulator_type(*partial, f"{node.place}: its sum")
    biased = len(node.inputs) > 2
    y = Tensor(node.outputs[0] + ("_sum" if biased else ""), (1, weights.shape[0], *window.output), low, high)
    shape = {"channels": x.shape[1], "filters": weights.shape[0], "groups": groups, **window.sizes(dilated=True)}
    done = node.layer("ms_conv", [x, node.inputs[1]], y, shape, accumulator, _sum_remark(*partial, accumulator))
    if not biased:
        return done
    bias = node.inputs[2].view(node.inputs[2].name, (weights.shape[0], *[1] * spatial))
    return _pair(node, "ms_add", y, bias, y.low + bias.low, y.high + bias.high)


@lowers("Im2Col")
def im2col(node: Node) -> list[Tensor]:
    """Patches of a channels-last image, ordered (kernel_h, kernel_w, channels)."""
    x, kernel, pad_value = node.inputs[0], node.attribute("kernel_size", []), node.attribute("pad_value", 0)
    if len(x.shape) != 4 or len(kernel) != 2:
        raise node.refuse(f"takes patches of shape {kernel} from {list(x.shape)}; [1, height, width, channels] can be made.")
    names = {"strides": "stride", "pads": "pad_amount"}
    window = _Window(node, x.shape[1:3], kernel, names)
    low, high = (min(x.low, pad_value), max(x.high, pad_value)) if window.padded else (x.low, x.high)
    y = Tensor(node.outputs[0], (1, *window.output, prod(kernel) * x.shape[3]), low, high)
    return node.layer("ms_im2col", [x], y, {"channels": x.shape[3], "pad_value": pad_value, **window.sizes(dilated=True)})


@lowers("MaxPool", "MaxPoolNHWC")
def max_pool(node: Node) -> list[Tensor]:
    """The largest value of each window; channels first, or last for MaxPoolNHWC."""
    x, kernel = node.inputs[0], node.attribute("kernel_shape", [])
    last = node.operator == "MaxPoolNHWC"
    image = x.shape[1:-1] if last else x.shape[2:]
    if len(image) != len(kernel) or len(kernel) not in (1, 2) or node.attribute("ceil_mode", 0) or len(node.outputs) > 1:
        raise node.refuse(f"pools {list(x.shape)} by {kernel} (1-D and 2-D, without ceil_mode and indices, can be made).")
    window = _Window(node, image, kernel)
    if any(d != 1 for d in window.dilation) or any(p >= k for p, k in zip(window.before + window.after, window.kernel * 2)):
        raise node.refuse("pools a dilated window or one that lies in the padding alone; use dilation 1 and less padding.")
    shape = (1, *window.output, x.shape[-1]) if last else (1, x.shape[1], *window.output)
    y = Tensor(node.outputs[0], shape, x.low, x.high)
    outer, inner = (1, x.shape[-1]) if last else (x.shape[1], 1)
    return node.layer("ms_max_pool", [x], y, {"outer": outer, "inner": inner, **window.sizes(dilated=False)})


class _Window:
    """Geometry of a sliding window over one or two axes, always told to kernels as two."""

    def __init__(self, node: Node, image: tuple[int, ...], kernel: list[int], names: dict[str, str] | None = None) -> None:
        names, rank = names or {}, len(kernel)
        if node.attribute("auto_pad", "NOTSET") not in ("NOTSET", "VALID"):
            raise node.refuse("pads automatically; write the padding as explicit pads.")
        stride = node.attribute(names.get("strides", "strides"), [1] * rank)
        self.dilation = node.attribute("dilations", [1] * rank)
        pads = node.attribute(names.get("pads", "pads"), [0] * (2 * rank))
        self.kernel, self.before, self.after = list(kernel), pads[:rank], pads[rank:]
        self.image, self.stride, self.padded = list(image), stride, any(pads)
        self.output = tuple(
            (i + b + a - d * (k - 1) - 1) // s + 1
            for i, b, a, d, k, s in zip(image, self.before, self.after, self.dilation, kernel, stride)
        )
        if min(self.output) < 1:
            raise node.refuse(f"slides a window of {kernel} over {list(image)}, which leaves nothing; use a larger input.")

    def sizes(self, dilated: bool) -> dict[str, int]:
        """The members that the shape structs of the sliding kernels share."""
        names = ["height width", "out_height out_width", "kernel_h kernel_w", "stride_h stride_w"]
        values = [self.image, self.output, self.kernel, self.stride]
        if dilated:
            names, values = [*names, "dilation_h dilation_w"], [*values, self.dilation]
        sizes = {}
        for pair, value in zip(names, values):
            sizes |= dict(zip(pair.split(), [1, *value][-2:]))
        return sizes | dict(zip(("pad_top", "pad_left"), [0, *self.before][-2:]))


@lowers("Add")
def add(node: Node) -> list[Tensor]:
    x, w = node.inputs
    return _pair(node, "ms_add", x, w, x.low + w.low, x.high + w.high)


@lowers("Mul")
def mul(node: Node) -> list[Tensor]:
    x, w = node.inputs
    corners = [a * b for a in (x.low, x.high) for b in (w.low, w.high)]
    return _pair(node, "ms_mul", x, w, min(corners), max(corners))


def _pair(node: Node, kernel: str, x: Tensor, w: Tensor, low: int, high: int) -> list[Tensor]:
    try:
        shape = tuple(np.broadcast_shapes(x.shape, w.shape))
    except ValueError:
        raise node.refuse(f"joins shapes {list(x.shape)} and {list(w.shape)}, which do not broadcast.") from None
    accumulator = accumulator_type(min(low, x.low, w.low), max(high, x.high, w.high), f"{node.place}: its result")
    size, (x_step, w_step) = merge(node, shape, [_broadcast(x.shape, shape), _broadcast(w.shape, shape)])
    y = Tensor(node.outputs[0], shape, low, high)
    remark = f"results within {low}..{high}"
    return node.layer(kernel, [x, w], y, {"size": size, "x_step": x_step, "w_step": w_step}, accumulator, remark)


def _broadcast(shape: tuple[int, ...], target: tuple[int, ...]) -> list[int]:
    steps = [0 if d == 1 else s for d, s in zip(shape, dense_steps(shape))]
    return [0] * (len(target) - len(shape)) + steps
