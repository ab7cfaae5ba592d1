"""Tell which operators are straight lines of what they read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from microstage.integer.registry import named
from microstage_streamline.graph.graph import Node

__all__ = ["bends"]

_REALS = (1, 10, 11)  # ONNX's float32, float16, double


def bends(node: Node, constants: Mapping[str, Any]) -> bool:
    """Tell whether a node is no straight line of one computed input.

    That is an operator that is none, or of two inputs, 1 / x, and a cast that cuts fractions off.
    """
    here = node.op == "Div" and node.inputs[0] in constants or node.op == "Cast" and node.flags["to"] not in _REALS
    joins = sum(bool(name) and name not in constants for name in node.inputs) > 1
    return here or joins or not named(node.op).straight
