"""Write a sum of two tensors step by step, as TensorFlow Lite Micro adds them: where no small factors stand for it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from microstage.integer import gemmlowp
from microstage_streamline.graph.graph import Node
from microstage_streamline.integerise.emitter import Emitter
from microstage_streamline.integerise.functions import Function
from microstage_streamline.integerise.integers import Integers
from microstage_streamline.integerise.rescaled_sum import RescaledSum

__all__ = ["emit_tflite_terms"]


def emit_tflite_terms(emitter: Emitter, name: str, joined: RescaledSum) -> Function:
    """Append what `TfliteAdd` brings both terms to, from a table each, and their sum; return the function that is left.

    FINN-ONNX cannot hold tables; it is left out.
    """
    first, *rest = joined.nodes
    terms = [
        _term(emitter, f"{name}.{side}", term, first, side)
        for side, term in (("first", joined.a), ("second", joined.b))
    ]
    total = emitter.emit(Node("Add", [term.name for term in terms], [f"{name}.terms"], {}, first.layer), None, *terms)
    example = np.zeros(total.range.low.shape, np.int64)
    multiplier, shift = first.flags["scale"]
    stored = {f"{name}.multiplier": multiplier, f"{name}.shift": shift}
    emitter.constants.update({key: np.array([value], np.int64) for key, value in stored.items()})
    flags = {"axis": 1, **{key: first.flags[key] for key in ("zero_point", "low", "high")}}
    scaled = Node("TfliteRequantize", [total.name, *stored], first.outputs, flags, first.layer)
    return Function(replace(total, example=example), [scaled, *rest], joined.example, total.name)


def _term(emitter: Emitter, name: str, term: Integers, node: Node, side: str) -> Integers:
    """Append the table of one term; that of the second holds its sign."""
    low, high = term.range.ends
    values = gemmlowp.scaled(np.arange(low, high + 1) << node.flags["left_shift"], *node.flags[side])
    table = emitter.store(f"{name}.table", (values * (node.flags["sign"] if side == "second" else 1))[None])
    return emitter.emit(Node("Table", [term.name, table], [name], {"low": low, "axis": 1}, node.layer), None, term)
