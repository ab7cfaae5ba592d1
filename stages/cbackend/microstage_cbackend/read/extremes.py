"""Lower operators that choose among values: pools, maxima, places of the largest."""

from __future__ import annotations

import numpy as np

from microstage_cbackend.program.ir import Tensor
from microstage_cbackend.program.windows import Window
from microstage_cbackend.read.node import ReadNode

__all__ = ["arg_max", "extreme", "max_pool", "refuse_average", "top_k"]


def max_pool(node: ReadNode) -> list[Tensor]:
    """Lower the largest value of each window; channels first, or last for MaxPoolNHWC."""
    x, last = node.x, node.operator == "MaxPoolNHWC"
    if len(node.outputs) > 1:
        raise node.refuse("gives indices too; leave them out.")
    first = x.view(x.name, np.moveaxis(x.places, -1, 1)) if last else x
    window = node.window(first.shape[2:], node.attribute("kernel_shape", []))
    if any(d != 1 for d in window.dilation) or not window.whole:
        raise node.refuse(
            "pools a dilated window or one that lies in the padding alone; use dilation 1 and less padding."
        )
    y = node.builder.max_pool(node.place, node.operator, node.name, first, window)
    return [y.view(node.name, np.moveaxis(y.places, 1, -1)) if last else y]


def refuse_average(node: ReadNode) -> list[Tensor]:
    """Refuse an average, which is no integer."""
    raise node.refuse(
        "divides integers, which says no rounding; give the sum of a convolution with ones to a MultiThreshold."
    )


def arg_max(node: ReadNode) -> list[Tensor]:
    """Lower the place of the largest: the lowest among equals, or the highest."""
    x = node.x
    axis = node.attribute("axis", 0) % len(x.shape)
    y = node.builder.top(node.place, node.operator, node.name, x, axis, 1, node.attribute("select_last_index", 0))
    return [y if node.attribute("keepdims", 1) else y.view(node.name, y.places.squeeze(axis))]


def top_k(node: ReadNode) -> list[Tensor]:
    """Lower the values of the k largest, and their places (the second output)."""
    x = node.x
    axis, keep = node.attribute("axis", -1) % len(x.shape), int(node.constant(1, "count").ravel()[0])
    if not node.attribute("largest", 1) or not 1 <= keep <= x.shape[axis]:
        raise node.refuse(
            f"takes {keep} smallest or more values than there are; the 1..{x.shape[axis]} largest can be made."
        )
    x = node.builder.dense(node.place, x)
    y = node.builder.top(node.place, node.operator, node.outputs[-1], x, axis, keep)
    return [node.builder.take(node.place, node.operator, node.name, x, y, axis), y]


def extreme(node: ReadNode) -> list[Tensor]:
    """Lower max(a, b, ...), a pool over all of them side by side; min(a, b) = -max(-a, -b)."""
    builder, shape = node.builder, np.broadcast_shapes(*(x.shape for x in node.operands))
    minus = Tensor(f"{node.name}_sign", (1,) * len(shape), -1, -1, np.full((1,) * len(shape), -1))
    turn = lambda x, name: builder.mul(node.place, node.operator, name, x, minus) if node.operator == "Min" else x  # noqa: E731
    sides: list[Tensor] = []
    for x in node.operands:
        whole = x.view(x.name, np.broadcast_to(x.places, shape))
        turned = turn(whole, f"{node.name}_{len(sides)}")
        sides.append(turned.view(turned.name, turned.places.reshape(1, -1, 1)))
    both = builder.concat(node.place, node.operator, f"{node.name}_sides", sides, 2)
    y = builder.max_pool(
        node.place,
        node.operator,
        f"{node.name}_most" if node.operator == "Min" else node.name,
        both,
        Window(node.place, [2], [2]),
    )
    return [turn(y.view(y.name, y.places.reshape(shape)), node.name)]
