"""Compute functions that differ from value to value in a row, as thresholds can tell one axis apart alone."""

from __future__ import annotations

import numpy as np

from microstage.integer.interpreter import run_node
from microstage_streamline.graph.graph import Node
from microstage_streamline.integerise.emit_levels import emit_levels
from microstage_streamline.integerise.emitter import Emitter
from microstage_streamline.integerise.functions import Function
from microstage_streamline.integerise.integers import Integers

__all__ = ["emit_place_by_place"]


def emit_place_by_place(emitter: Emitter, name: str, function: Function) -> Integers:
    """Append f(x) of [n, a, b] as tensor `name`: flattened to [n, a b], which has a function for each place, and back.

    The row's own shape changes are part of that function, so that each constant lies as its values do.
    """
    start, layer = function.start, function.nodes[0].layer
    sizes = {"row": [0, start.range.low[0].size], "shape": [0, *start.range.low.shape[1:]]}
    constants = {f"{name}.{key}": np.asarray(value, np.int64) for key, value in sizes.items()}
    emitter.integer_graph.constants |= constants
    emitter.constants |= constants
    flatten = Node("Reshape", [start.name, f"{name}.row"], [f"{name}.flat"], {}, layer)
    flat = run_node(flatten.proto(), {**constants, start.name: start.example})[flatten.output]
    row = emitter.emit(flatten, flat, start)
    whole = Node("Reshape", [row.name, f"{name}.shape"], [function.of], {}, layer)
    ends = Node("Reshape", [function.nodes[-1].output, f"{name}.row"], [f"{name}.levels"], {}, layer)
    example = run_node(ends.proto(), {**constants, ends.inputs[0]: function.example})[ends.output]
    inner = Function(row, [whole, *function.nodes, ends], example, row.name, by_place=True)
    levels = emit_levels(emitter, f"{name}.levels", inner)
    return emitter.emit(Node("Reshape", [levels.name, f"{name}.shape"], [name], {}, layer), function.example, levels)
