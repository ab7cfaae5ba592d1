"""Lower operators that join tensors: sums, products, concatenation, padding."""

from __future__ import annotations

from microstage_cbackend.program.ir import Tensor
from microstage_cbackend.read.node import ReadNode

__all__ = ["add", "concat", "mul", "pad"]


def add(node: ReadNode) -> list[Tensor]:
    """Lower a sum."""
    return [node.builder.add(node.place, node.operator, node.name, *node.operands)]


def mul(node: ReadNode) -> list[Tensor]:
    """Lower a product element by element."""
    return [node.builder.mul(node.place, node.operator, node.name, *node.operands)]


def concat(node: ReadNode) -> list[Tensor]:
    """Lower tensors one behind another along an axis."""
    axis = node.attribute("axis", 0) % len(node.x.shape)
    return [node.builder.concat(node.place, node.operator, node.name, node.operands, axis)]


def pad(node: ReadNode) -> list[Tensor]:
    """Lower one value around a tensor."""
    x = node.x
    if node.attribute("mode", "constant") != "constant":
        raise node.refuse(f"pads by mode {node.attribute('mode', '')}; a constant around it can be made.")
    pads = node.constant(1, "amounts").reshape(2, -1)
    fill = int(node.constant(2, "fill").ravel()[0]) if node.has(2) else 0
    return [node.builder.pad(node.place, node.operator, node.name, x, pads, fill)]
