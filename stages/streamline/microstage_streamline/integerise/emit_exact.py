"""Write operators that are the same on integers: a bias or zero point of their scale, a sign, a whole factor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from microstage.integer.tensor import narrowed
from microstage_streamline.graph.graph import Node, is_quantised
from microstage_streamline.integerise.emitter import Emitter
from microstage_streamline.integerise.functions import Function
from microstage_streamline.integerise.integers import Integers

__all__ = ["CENTRING", "emit_exact", "is_exact"]

CENTRING = ("DequantizeLinear", "LessZeroPoint")
"Operators that take a zero point off raw integers."


def is_exact(function: Function, values: Mapping[str, Any], constants: Mapping[str, Any]) -> bool:
    """Tell whether a function of one operator is that operator on integers."""
    (node,) = function.nodes
    if node.op == "LessZeroPoint":
        return bool(np.all(np.asarray(constants[node.inputs[2]]) % 1 == 0))
    if node.op in ("Neg", "DequantizeLinear"):
        return True
    return node.op in ("Add", "Sub", "Mul") and all(is_quantised(values[name]) for name in (*node.inputs, node.output))


def emit_exact(emitter: Emitter, name: str, function: Function) -> Integers:
    """Append tensor `name`, of a function that `is_exact`."""
    node, start, example = function.nodes[0], function.start, function.example
    if node.op in CENTRING:
        shift = example.ints - getattr(start.example, "ints", start.example)  # what zero point 0 would have left
        stored = emitter.store(f"{name}.shift", narrowed(shift))
        return emitter.emit(Node("Add", [start.name, stored], [name], {}, node.layer), example, start)
    if node.op == "Neg":
        return _negated(emitter, name, start, example, node)
    bias = next((other for other in node.inputs if other in emitter.constants), None)
    if bias is None:
        return emitter.emit(Node(node.op, [start.name] * 2, [name], {}, node.layer), example, start)
    value = emitter.constants[bias]
    falls = node.op == "Sub" and node.inputs[0] == bias
    if falls:
        start = _negated(emitter, f"{name}.minus", start, start.example, node)
    sign = -1 if node.op == "Sub" and not falls else 1
    stored = emitter.keep(bias, narrowed(np.asarray(getattr(value, "ints", value), np.int64) * sign))
    op = "Mul" if node.op == "Mul" else "Add"
    return emitter.emit(Node(op, [start.name, stored], [name], {}, node.layer), example, start)


def _negated(emitter: Emitter, name: str, start: Integers, example: Any, node: Node) -> Integers:
    sign = emitter.store(f"{name}.sign", np.full((1,) * start.range.low.ndim, -1))
    return emitter.emit(Node("Mul", [start.name, sign], [name], {}, node.layer), example, start)
