"""Lower operators that only move integers: the result is a view of the input's memory, and costs nothing."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from microstage.errors import ModelError
from microstage.integer.interpreter import run_node
from microstage_rtl.program.call import HeldTensor
from microstage_rtl.read.node import LoweredNode, Value

__all__ = ["identity", "move"]


def move(node: LoweredNode) -> Mapping[str, Value]:
    """Give each output the places that the integer reference moves there."""
    x = node.tensor()
    operands = range(1, len(node.inputs))
    constants = [None if node.inputs[i] is None else node.constant(i, "operand") for i in operands]
    found = [_moved(node, [array, *constants]) for array in (x.places, x.low, x.high)]
    if not all(places.size for places in found[0].values()):
        raise node.refuse("takes nothing; what is left must hold an integer.")
    return {name: HeldTensor(x.buffer, *(by_name[name] for by_name in found)) for name in found[0]}


def _moved(node: LoweredNode, arguments: list[np.ndarray]) -> dict[str, np.ndarray]:
    try:
        found = run_node(node.proto, {**dict(zip(node.proto.input, arguments)), "": None})
    except (ModelError, KeyError, ValueError, IndexError, TypeError) as error:
        raise node.refuse(
            f"moves integers of shape {list(arguments[0].shape)} in no way that is known: {error}"
        ) from None
    return {name: np.atleast_1d(array) for name, array in found.items() if name}


def identity(node: LoweredNode) -> Value:
    """Lower what changes nothing; only the first output is there."""
    if len(node.outputs) > 1:
        raise node.refuse("gives more than one output; leave the others out.")
    return node.inputs[0]
