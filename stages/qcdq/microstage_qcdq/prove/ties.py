"""Explained ties: where float32 arithmetic may stand on the other side of a decision boundary than the exact value.

`microstage.integer.rounding_bounds` says, value by value, how far that can be; two levels may differ by one step there,
and nowhere else.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import numpy_helper

from microstage.integer import Interpreter, real
from microstage.integer.rounding_bounds import UNIT, Bounded, bound, unexplained
from microstage.integer.tensor import QTensor
from microstage_qcdq.graph.boundaries import Boundary

__all__ = ["integers", "unexplained_entries", "unexplained_levels", "unexplained_values"]


def _halfway(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a + b) / 2


_BORDERS = {"FLOOR": np.maximum, "CEIL": np.minimum}
"""Where one of two neighbouring levels ends, if not halfway."""


def unexplained_values(
    boundary: Boundary, sources: dict[str, np.ndarray], expected: np.ndarray, found: np.ndarray
) -> int:
    """Count the differing entries that are no tie; `expected` are exact levels (or values), `found` float's."""
    rows = np.flatnonzero((expected != found).reshape(len(expected), -1).any(axis=1))
    if len(rows) == 0:
        return 0
    graph = boundary.model.graph
    given = {i.name: Bounded.certain(numpy_helper.to_array(i)) for i in graph.initializer}
    given |= {name: Bounded.certain(values[rows]) for name, values in sources.items()}
    step = boundary.scale or 1.0
    ends = bound(graph.node, given)[boundary.name]
    return int(np.count_nonzero(unexplained(expected[rows] * step, found[rows] * step, ends)))


def unexplained_entries(curve: np.ndarray, boundary: Boundary, sources, expected: np.ndarray, found: np.ndarray) -> int:
    """Count as `unexplained_values` does, for a table, which is one product.

    `curve` is what its entries were rounded from, in levels.
    """
    exact = real(Interpreter(_reading_curve(boundary.model, curve)).run(sources)[boundary.name])
    return unexplained_levels(exact, 1.0, expected, found)


def unexplained_levels(
    value: np.ndarray, scale: float, expected: np.ndarray, found: np.ndarray, rounding: str = "ROUND"
) -> int:
    """Count as `unexplained_values` does where real values [...] are quantised at `scale`.

    There is no sum before, but one product.
    """
    a, b = expected.astype(np.float64), found.astype(np.float64)
    border = _BORDERS.get(rounding.upper(), _halfway)(a, b)
    near = np.abs(value - border * scale) <= (1 + 4) * UNIT * np.abs(value)
    return int(np.count_nonzero((a != b) & ~((np.abs(a - b) == 1) & near)))


def _reading_curve(model: onnx.ModelProto, curve: np.ndarray) -> onnx.ModelProto:
    copy = onnx.ModelProto.FromString(model.SerializeToString())
    table = next(node.input[0] for node in copy.graph.node if node.op_type == "Gather")
    for initializer in copy.graph.initializer:
        if initializer.name == table:
            initializer.CopyFrom(numpy_helper.from_array(curve, table))
    return copy


def integers(value) -> np.ndarray:
    """Return integers of a boundary's output; a real output (the last layer) gives its real values."""
    return value.ints if isinstance(value, QTensor) else np.asarray(value)
