"""Sums of two tensors as TensorFlow Lite Micro adds them, where no small factors keep every pair at its level: step by
step.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from microstage.integer import gemmlowp
from microstage_streamline.graph.graph import Node
from microstage_streamline.integerise.integer_graph import Integers
from microstage_streamline.integerise.monotone import Function
from microstage_streamline.integerise.rescaled_sum import RescaledSum

if TYPE_CHECKING:
    from microstage_streamline.integerise.integerise import Integeriser

__all__ = ["step_by_step"]


def step_by_step(made: Integeriser, name: str, joined: RescaledSum) -> Function:
    """What `TfliteAdd` brings both terms to, from a table each; their sum; and the function of that which is left.

    FINN-ONNX cannot hold tables; it is left out.
    """
    first, *rest = joined.nodes
    terms = [
        _term(made, f"{name}.{side}", term, first, side) for side, term in (("first", joined.a), ("second", joined.b))
    ]
    total = made.emit(Node("Add", [term.name for term in terms], [f"{name}.terms"], {}, first.layer), None, *terms)
    example = np.zeros(total.range.low.shape, np.int64)
    multiplier, shift = first.flags["scale"]
    stored = {f"{name}.multiplier": multiplier, f"{name}.shift": shift}
    made.constants.update({key: np.array([value], np.int64) for key, value in stored.items()})
    flags = {"axis": 1, **{key: first.flags[key] for key in ("zero_point", "low", "high")}}
    scaled = Node("TfliteRequantize", [total.name, *stored], first.outputs, flags, first.layer)
    return Function(replace(total, example=example), [scaled, *rest], joined.example, total.name)


def _term(made: Integeriser, name: str, term: Integers, node: Node, side: str) -> Integers:
    """The sign of the second term is in its table."""
    low, high = term.range.ends
    values = gemmlowp.scaled(np.arange(low, high + 1) << node.flags["left_shift"], *node.flags[side])
    made.made.constants[f"{name}.table"] = (values * (node.flags["sign"] if side == "second" else 1))[None]
    return made.emit(
        Node("Table", [term.name, f"{name}.table"], [name], {"low": low, "axis": 1}, node.layer), None, term
    )
