"""Pools and reshapes."""

from __future__ import annotations

from torch import fx, nn

from microstage.quantisation.integers.operations import AveragePool, MaxPool, Reshape
from microstage.quantisation.lowering.lowered import Lowered

__all__ = ["average_pool", "max_pool", "reshape"]


def average_pool(lowered: Lowered, node: fx.Node, module: nn.AvgPool1d | nn.AvgPool2d) -> None:
    """Append the sum under each window, in its input's unit."""
    source = lowered.source(node)
    kernel, stride, padding = _windows(lowered, node, module.kernel_size, module.stride, module.padding)
    layer, zero = str(node.target), lowered.zero(source)
    operation = AveragePool(layer, (source,), node.name, kernel, stride, padding, zero)
    lowered.append(node, operation, lowered.scales[source])


def max_pool(lowered: Lowered, node: fx.Node, module: nn.MaxPool1d | nn.MaxPool2d) -> None:
    """Append the largest under each window."""
    source = lowered.source(node)
    settings = module.kernel_size, module.stride, module.padding, module.dilation
    kernel, stride, padding, dilation = _windows(lowered, node, *settings)
    layer = str(node.target)
    operation = MaxPool(layer, (source,), node.name, kernel, stride, padding, dilation, module.ceil_mode)
    lowered.append(node, operation, lowered.scales[source], lowered.quantised(source, node))


def reshape(lowered: Lowered, node: fx.Node) -> None:
    """Append what gives the shape that the example had there."""
    source = lowered.source(node)
    operation = Reshape(str(node.target), (source,), node.name, lowered.shapes[node][1:])
    lowered.append(node, operation, lowered.scales[source], lowered.levels.get(source))


def _windows(lowered: Lowered, node: fx.Node, *settings: int | tuple[int, ...]) -> list[tuple[int, ...]]:
    """Return each setting with one number for every axis of the image."""
    axes = len(lowered.shapes[node]) - 2
    return [(one,) * axes if isinstance(one, int) else tuple(one) for one in settings]
