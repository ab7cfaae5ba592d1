"""Blocks of everyday operators: functions of each element, moves, pools, reductions, tensors that meet at two scales.

On exact networks functions are such that float32 makes no rounding of what they give; elsewhere any.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from microstage_bench.random_networks.exact import ExactNetwork

__all__ = ["IMAGE", "ROW"]


def function(net: ExactNetwork, value: str) -> str:
    """Apply a function to each element: one that rises, or falls, or turns round."""
    names = [*_EXACT, *([] if net.exact else _SMOOTH)]
    return net.activation(_function(net, net.rng.choice(names), value), 8)


def gate(net: ExactNetwork, value: str) -> str:
    """Multiply channels, or values, by what a function makes of them."""
    before = (
        net.add("GlobalAveragePool", [value]) if len(net.shape(value)) == 4 and not net.rng.integers(0, 2) else value
    )
    if before != value and np.log2(np.prod(net.shape(value)[2:])) % 1:
        before = value  # an average that floats do not divide exactly
    opened = net.quantised(net.add("HardSigmoid", [net.quantised(before)], alpha=0.25, beta=0.5), 8, False, -8)
    return net.activation(net.add("Mul", [value, opened]), 8)


def rest(net: ExactNetwork, value: str) -> str:
    """Multiply one less a gate by a value of another scale."""
    opened = net.quantised(net.add("HardSigmoid", [value], alpha=0.25, beta=0.5), 8, False, -8)
    other = net.quantised(net.add("Clip", [value, net.constant(-1), net.constant(1)]), 8, True, -7)
    return net.activation(net.add("Mul", [net.add("Sub", [net.constant(1), opened]), other]), 8)


def difference(net: ExactNetwork, value: str) -> str:
    """Take the difference of two scales, or the larger or the smaller."""
    other = net.quantised(_function(net, net.rng.choice(["LeakyRelu", "Abs", "Neg"]), value), net.rng.choice([8, 6, 4]))
    return net.activation(net.add(net.rng.choice(["Sub", "Max", "Min"]), [value, other][:: net.rng.choice([1, -1])]), 8)


def extremes(net: ExactNetwork, value: str) -> str:
    """Take the largest of windows beyond the end, in padding, or with gaps."""
    size = net.shape(value)[2:]
    kernel = [min(n, net.rng.integers(1, 4)) for n in size]
    flags: dict[str, Any] = {
        "strides": [net.rng.integers(1, 4) for _ in size],
        "pads": [net.rng.integers(0, k) for k in [*kernel, *kernel]],
    }
    if net.rng.integers(0, 2):
        return net.add("MaxPool", [value], kernel_shape=kernel, ceil_mode=1, **flags)
    apart = [net.rng.integers(1, 3) if 2 * (k - 1) < n else 1 for k, n in zip(kernel, size)]
    return net.add("MaxPool", [value], kernel_shape=kernel, dilations=apart, **flags)


def padded_average(net: ExactNetwork, value: str) -> str:
    """Take the mean of windows that hold one, two or four values, counted with the padding or without."""
    size = net.shape(value)[2:]
    kernel = [min(2, n) for n in size]
    pads = [net.rng.integers(0, k) for k in [*kernel, *kernel]]
    flags: dict[str, Any] = {
        "count_include_pad": net.rng.integers(0, 2),
        "strides": [net.rng.integers(1, 3) for _ in size],
    }
    return net.activation(net.add("AveragePool", [value], kernel_shape=kernel, pads=pads, **flags), 8)


def larger(net: ExactNetwork, value: str) -> str:
    """Make it twice as large by the nearest pixel, or gather any places along an axis."""
    shape = net.shape(value)
    if int(np.prod(shape[1:])) > 2048:
        return value
    if net.rng.integers(0, 2):
        scales = net.constant([1, 1, *(2 for _ in shape[2:])])
        return net.add(
            "Resize",
            [value, "", scales],
            mode="nearest",
            coordinate_transformation_mode="asymmetric",
            nearest_mode="floor",
        )
    axis = net.rng.integers(1, len(shape))
    return net.add(
        "Gather",
        [value, net.constant(net.rng.integers(-shape[axis], shape[axis], shape[axis] + 1), np.int64)],
        axis=axis,
    )


def bordered(net: ExactNetwork, value: str) -> str:
    """Put zeros around, or the image's own border, or take some of it away."""
    shape = net.shape(value)
    mode = net.rng.choice(["constant", "edge", "reflect"])
    least = -1 if mode == "constant" else 0
    pads = [[0, 0, *(net.rng.integers(least if n > 3 else 0, min(2, n)) for n in shape[2:])] for _ in range(2)]
    return net.add("Pad", [value, net.constant(np.concatenate(pads), np.int64)], mode=mode)


def squares(net: ExactNetwork, value: str) -> str:
    """Turn channels into pixels, or pixels into channels."""
    channels, *size = net.shape(value)[1:]
    if len(size) == 2 and channels % 4 == 0:
        return net.add("DepthToSpace", [value], blocksize=2, mode=net.rng.choice(["DCR", "CRD"]))
    if len(size) == 2 and not any(n % 2 for n in size):
        return net.add("SpaceToDepth", [value], blocksize=2)
    return value


def transposed(net: ExactNetwork, value: str) -> str:
    """Add a convolution that spreads each pixel over a window."""
    depth, *size = net.shape(value)[1:]
    if int(np.prod(size)) * depth > 1024:
        return value
    groups = 2 if depth % 2 == 0 and net.rng.integers(0, 2) else 1
    kernel = [net.rng.integers(1, 4) for _ in size]
    strides = [net.rng.integers(1, 3) for _ in size]
    pads = [net.rng.integers(0, k) if n > 2 else 0 for n, k in zip([*size, *size], [*kernel, *kernel])]
    more = [net.rng.integers(0, s) for s in strides]
    weights = net.weights([depth, net.rng.about(4), *kernel], 1, 4)
    flags: dict[str, Any] = {"strides": strides, "pads": pads, "output_padding": more, "group": groups}
    return net.activation(net.add("ConvTranspose", [value, weights], **flags), 8)


def reduced(net: ExactNetwork, value: str) -> str:
    """Take the sum, or an extreme, along one axis."""
    axis, rank = net.rng.integers(1, len(net.shape(value))), len(net.shape(value))
    operator = net.rng.choice(["ReduceSum", "ReduceMax", "ReduceMin"])
    axes = axis - rank if net.rng.integers(0, 2) else axis
    if operator == "ReduceSum" or net.opset >= 18:
        return net.activation(net.add(operator, [value, net.constant([axes], np.int64)], keepdims=1), 8)
    return net.activation(net.add(operator, [value], axes=[axes], keepdims=1), 8)


def _function(net: ExactNetwork, name: str, value: str) -> str:
    if name == "LeakyRelu":
        return net.add("LeakyRelu", [value], alpha=net.rng.choice([0.125, 0.5, -0.25]))
    if name == "PRelu":
        shape = [-1, *[1] * (len(net.shape(value)) - 2)]
        return net.add("PRelu", [value, net.constant(net.rng.integers(-1, 5, net.shape(value)[1]).reshape(shape) / 8)])
    if name in ("Min", "Max"):
        return net.add(name, [net.constant(net.rng.integers(-4, 5) / 4), value])
    if name == "Clip":
        return net.add("Clip", [value, "" if net.rng.integers(0, 2) else net.constant(-0.5), net.constant(0.75)])
    if name == "Square":
        return net.add("Mul", [value, value])
    if name == "HardSwish":
        return net.add("Mul", [value, net.add("HardSigmoid", [value], alpha=0.25, beta=0.5)])
    if name == "Chosen":
        return net.add("Where", [net.add("Greater", [value, net.constant(0.25)]), value, net.constant(-0.5)])
    if name == "ByPlace":
        return net.add("Sub", [net.constant(net.rng.integers(-8, 9, net.shape(value)[1:]) / 8), value])
    if name == "Swish":
        return net.add("Mul", [value, net.add("Sigmoid", [value])])
    if name == "HardSigmoid":
        return net.add(name, [value], alpha=0.25, beta=0.5)
    return net.add(name, [value])


_EXACT = [
    "LeakyRelu",
    "PRelu",
    "Abs",
    "Neg",
    "Min",
    "Max",
    "Clip",
    "HardSigmoid",
    "Floor",
    "Square",
    "HardSwish",
    "Chosen",
    "ByPlace",
]
_SMOOTH = ["Swish", "Elu", "Selu", "Softplus", "Softsign", "Exp", "Erf", "Sin", "Sigmoid", "Tanh"]

IMAGE = {
    function: 2,
    gate: 1,
    rest: 1,
    difference: 1,
    extremes: 1,
    padded_average: 1,
    larger: 1,
    bordered: 1,
    squares: 1,
    transposed: 1,
    reduced: 1,
}
"Block -> how often, of what takes an image or a signal."
ROW = {function: 2, gate: 1, rest: 1, difference: 1}
"Of what takes a row."
