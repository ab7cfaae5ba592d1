"""Functions with constants of their own for each value: thresholds tell one axis apart, and a row has but one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from microstage.integer.interpreter import run_node
from microstage_streamline.graph.graph import Node
from microstage_streamline.integerise.integer_graph import Integers
from microstage_streamline.integerise.monotone import Function

if TYPE_CHECKING:
    from microstage_streamline.integerise.integerise import Integeriser

__all__ = ["in_a_row"]


def in_a_row(made: Integeriser, name: str, function: Function) -> Integers:
    """f(x) of [n, a, b] = f'(x') of [n, a b], as [n, a, b] again."""
    start, layer = function.start, function.nodes[0].layer
    sizes = {"row": [0, start.range.low[0].size], "shape": [0, *start.range.low.shape[1:]]}
    constants = {f"{name}.{key}": np.asarray(value, np.int64) for key, value in sizes.items()}
    made.made.constants |= constants
    made.constants |= constants
    flatten = Node("Reshape", [start.name, f"{name}.row"], [f"{name}.flat"], {}, layer)
    row = made.emit(flatten, run_node(flatten.proto(), {**constants, start.name: start.example})[flatten.output], start)
    whole = Node("Reshape", [row.name, f"{name}.shape"], [function.of], {}, layer)
    ends = Node("Reshape", [function.nodes[-1].output, f"{name}.row"], [f"{name}.levels"], {}, layer)
    example = run_node(ends.proto(), {**constants, ends.inputs[0]: function.example})[ends.output]
    inner = Function(row, [whole, *function.nodes, ends], example, row.name, by_place=True)
    levels = made.levels(f"{name}.levels", inner)
    return made.emit(Node("Reshape", [levels.name, f"{name}.shape"], [name], {}, layer), function.example, levels)
