"""What random networks are made of. A block is a function of (network, tensor) that adds some nodes and returns the
tensor at their end, or, where it cannot follow that tensor, returns the tensor as it is: every sequence of blocks is a
network.

A new block is a function here and a row of its table, with how often it is drawn. Choices come from `net.rng`, simple
ones lowest.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from microstage_bench.random_networks.exact import ExactNetwork

__all__ = ["IMAGE", "ROW", "STARTS", "Block", "Start", "end"]

Start = Callable[[ExactNetwork], str]
Block = Callable[[ExactNetwork, str], str]
_MACS = 400_000
"The most multiply-accumulates that one convolution has for each vector."
_APART = 5
"So many powers of two, at most, lie between the two tensors of a sum."


def picture(net: ExactNetwork) -> str:
    """Begin with an image, channels first or last."""
    channels, size = net.rng.about(8), [net.rng.about(32), net.rng.about(32)]
    if net.rng.integers(0, 2):
        return net.add("Transpose", [net.quantised(net.given([*size, channels]))], perm=[0, 3, 1, 2])
    return net.quantised(net.given([channels, *size]))


def signal(net: ExactNetwork) -> str:
    """Begin with samples of some channels over time."""
    return net.quantised(net.given([net.rng.about(8), net.rng.about(64)]))


def numbers(net: ExactNetwork) -> str:
    """Begin with a few numbers, and perhaps a second input beside them."""
    value = net.quantised(net.given([net.rng.width(70)]))
    if net.rng.integers(0, 2):
        other = net.quantised(net.given([net.rng.about(5)]))
        value = net.activation(net.add("Concat", [value, other], axis=1), net.width)
    return value


def conv(net: ExactNetwork, value: str) -> str:
    """Add a convolution of any kernel, stride, dilation and pads."""
    depth, *size = net.shape(value)[1:]
    kernel = [net.rng.integers(1, min(5, n) + 1) for n in size]
    dilations = [net.rng.integers(1, 3) if (k - 1) * 2 < n else 1 for k, n in zip(kernel, size)]
    flags: dict[str, Any] = {
        "strides": [net.rng.integers(1, 3) for _ in size],
        "pads": [net.rng.integers(0, min(k, 3)) for k in [*kernel, *kernel]],
        "dilations": dilations,
    }
    channels = min(net.rng.width(70), max(1, _MACS // (depth * int(np.prod([*kernel, *size])))))
    return net.activation(_convolved(net, value, channels, kernel, **flags))


def grouped(net: ExactNetwork, value: str) -> str:
    """Add a convolution of two or more groups of channels."""
    depth, *size = net.shape(value)[1:]
    groups = next(n for n in (net.rng.integers(2, 5), 3, 2, 1) if depth % n == 0)
    return net.activation(_convolved(net, value, groups * net.rng.about(4), [min(3, n) for n in size], groups))


def depthwise(net: ExactNetwork, value: str) -> str:
    """Convolve each channel by itself, with one filter or more, and add a sum over channels behind."""
    depth, *size = net.shape(value)[1:]
    many = net.rng.integers(1, 3)
    value = net.activation(_same(net, value, many * depth, depth))
    channels = min(net.rng.width(70), max(1, _MACS // (depth * many * int(np.prod(size)))))
    return net.activation(_convolved(net, value, channels, [1] * len(size)))


def residual(net: ExactNetwork, value: str) -> str:
    """Add a sum of two scales."""
    depth, *size = net.shape(value)[1:]
    groups = 1 if depth * depth * int(np.prod(size)) * 9 <= _MACS else depth
    return _sum(net, net.activation(_same(net, value, depth, groups), net.width), value)


def join(net: ExactNetwork, value: str) -> str:
    """Put two branches beside each other, of one scale."""
    depth, *size = net.shape(value)[1:]
    ends = [_convolved(net, value, net.rng.about(5), [1] * len(size)) for _ in range(2)]
    shift = max(map(net.peak, ends)) + 1 - net.width
    return net.activation(net.add("Concat", [net.quantised(end, None, True, shift) for end in ends], axis=1), net.width)


def halves(net: ExactNetwork, value: str) -> str:
    """Cut the channels in two and join them again in another order."""
    depth = net.shape(value)[1]
    if depth < 2:
        return value
    cut = net.rng.integers(1, depth)
    first, second = net.split(value, [cut, depth - cut], axis=1)
    return net.activation(net.add("Concat", [second, first], axis=1), net.width)


def pool(net: ExactNetwork, value: str) -> str:
    """Take the largest of each window."""
    size = net.shape(value)[2:]
    kernel, strides = ([net.rng.integers(1, min(3, n) + 1) for n in size] for _ in range(2))
    return net.add("MaxPool", [value], kernel_shape=kernel, strides=strides)


def average(net: ExactNetwork, value: str) -> str:
    """Take the mean of one, two or four values, which a float divides exactly."""
    kernel = [min(2, n) for n in net.shape(value)[2:]]
    return net.activation(net.add("AveragePool", [value], kernel_shape=kernel, strides=kernel), net.width)


def places(net: ExactNetwork, value: str) -> str:
    """Move the channels last for a while, for a dense layer at each place."""
    axes = len(net.shape(value))
    last, first = [0, *range(2, axes), 1], [0, axes - 1, *range(1, axes - 1)]
    value = net.activation(_product(net, net.add("Transpose", [value], perm=last), net.rng.about(16)))
    return net.add("Transpose", [value], perm=first)


def dense(net: ExactNetwork, value: str) -> str:
    """Add a dense layer, of an image's row too."""
    value = row_of(net, value)
    width = net.rng.width(70)
    if not net.rng.integers(0, 2):
        return net.activation(_product(net, value, width))
    weights = net.weights([width, net.shape(value)[-1]], 0, _bits(net, net.shape(value)[-1]))
    return net.activation(_biased(net, "Gemm", [value, weights], transB=1))


def sums(net: ExactNetwork, value: str) -> str:
    """Add up a row and what a dense layer makes of it, at two scales."""
    value = row_of(net, value)
    return _sum(net, net.activation(_product(net, value, net.shape(value)[-1]), net.width), value)


def end(net: ExactNetwork, value: str) -> str:
    """Add the last layer: its sums as they are, or quantised."""
    if len(net.shape(value)) == 2 or net.rng.integers(0, 2):
        value = row_of(net, value)
        answer = _product(net, value, net.rng.about(10))
    else:
        answer = _convolved(net, value, net.rng.about(4), [1] * len(net.shape(value)[2:]))
    return net.activation(answer, net.width) if net.rng.integers(0, 2) else answer


def row_of(net: ExactNetwork, value: str) -> str:
    """Turn an image into a row, after pools where it is large; leave a row as it is."""
    while len(net.shape(value)) > 2 and int(np.prod(net.shape(value)[1:])) > 1024:
        kernel = [min(2, n) for n in net.shape(value)[2:]]
        value = net.add("MaxPool", [value], kernel_shape=kernel, strides=kernel)
    if len(net.shape(value)) == 2:
        return value
    if net.rng.integers(0, 2):
        return net.add("Reshape", [value, net.constant([-1, int(np.prod(net.shape(value)[1:]))], np.int64)])
    return net.add("Flatten", [value])


STARTS: dict[Start, int] = {picture: 6, signal: 2, numbers: 3}
"Block -> how often, of the beginnings of a network."
IMAGE: dict[Block, int] = {
    conv: 5,
    grouped: 1,
    depthwise: 3,
    residual: 2,
    join: 1,
    halves: 1,
    pool: 2,
    average: 1,
    places: 1,
}
"Of what takes an image or a signal."
ROW: dict[Block, int] = {dense: 3, sums: 1}
"Of what takes a row."


def _bits(net: ExactNetwork, depth: int) -> int:
    """Choose the bits of weights: so few that a sum of `depth` products is exact in a float32, where floats are to be
    exact.
    """
    return net.rng.choice(
        [bits for bits in (5, 4, 8, 3, 2) if depth * 2 ** (net.width + bits) < 2**24 or not net.exact and bits == 8]
        or [2]
    )


def _product(net: ExactNetwork, value: str, width: int) -> str:
    depth = net.shape(value)[-1]
    plain = net.add("MatMul", [value, net.weights([depth, width], 1, _bits(net, depth))])
    return net.add("Add", [plain, net.bias(plain, -1 % len(net.shape(plain)))]) if net.rng.integers(0, 4) else plain


def _sum(net: ExactNetwork, branch: str, value: str) -> str:
    """Add up a branch and what it begins at, in either order, unless one is lost in the other, which no network is
    trained to.
    """
    if abs(net.peak(branch) - net.peak(value)) > _APART:
        return branch
    total = net.add("Add", [branch, value][:: net.rng.choice([1, -1])])
    return (
        net.activation(total, net.width) if net.width <= 8 else net.quantised(total)
    )  # of 16 bits only a line may follow


def _convolved(net: ExactNetwork, value: str, channels: int, kernel: list[int], groups: int = 1, **flags: Any) -> str:
    depth = net.shape(value)[1] // groups
    weights = net.weights([channels, depth, *kernel], 0, _bits(net, depth * int(np.prod(kernel))))
    return _biased(net, "Conv", [value, weights], kernel_shape=kernel, group=groups, **flags)


def _biased(net: ExactNetwork, operator: str, inputs: list[str], **flags: Any) -> str:
    """Add an operator, mostly with a third input that its sums without it ask for."""
    plain = net.add(operator, inputs, **flags)
    if not net.rng.integers(0, 4):
        return plain
    net.nodes.pop()
    return net.add(operator, [*inputs, net.bias(plain)], **flags)


def _same(net: ExactNetwork, value: str, channels: int, groups: int) -> str:
    """Add a convolution that leaves the places as they are."""
    size = net.shape(value)[2:]
    kernel = [3 if n > 1 else 1 for n in size]
    return _convolved(net, value, channels, kernel, groups, pads=[k // 2 for k in [*kernel, *kernel]])
