"""Make functions of one integer, which a graph writes as several layers, one table.

    fold_tables   stages, products and sums of one tensor of at most 16 bits, element by element, are a table of it

A function that turns round is a sum of pieces that do not, f(x) = up(x) - down(x), where a graph has thresholds alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from microstage_cbackend.passes.aliases import drop_unread
from microstage_cbackend.program.ir import KernelCall, Part, RowStage, Tensor, bits_of, smallest_type
from microstage_cbackend.program.places import walk

__all__ = ["fold_tables"]

_MOST_VALUES, _SMALL, _BYTES = 1 << 16, 1 << 12, 256
_FASTER = 3  # times as large a table is taken: it is one step, thresholds are sixteen of each piece


@dataclass(frozen=True)
class _TensorFunction:
    """Hold what a tensor is for each integer of `source`, from the least on.

    `layers` compute it, in `steps`, from constants of `bytes`; `joins`: two of them are added.
    """

    source: Tensor
    values: np.ndarray
    layers: frozenset[int]
    bytes: int = 0
    steps: int = 0
    joins: bool = False

    def then(self, layer: KernelCall, values: np.ndarray, bytes: int = 0, steps: int = 0) -> _TensorFunction:
        """Return the function that `layer` makes of this one: `values`, with what it adds to constants and steps."""
        return _TensorFunction(
            self.source, values, self.layers | {id(layer)}, self.bytes + bytes, self.steps + steps, self.joins
        )


def fold_tables(part: Part) -> None:
    """Put a table where it is small, or smaller than the layers that it stands for, and nothing else reads these."""
    known: dict[int, _TensorFunction] = {}
    for layer in part.layers:
        found = _function_of(layer, known)
        if found is not None:
            known[id(layer.output.root)] = found
    for layer in reversed(list(part.layers)):
        found = known.get(id(layer.output.root))
        if found is not None and _worth_it(found) and not _only_within_larger(part, layer, known):
            _make_table(layer, found)
    drop_unread(part)


def _function_of(layer: KernelCall, known: dict[int, _TensorFunction]) -> _TensorFunction | None:
    """Return the function of one tensor that `layer` computes, if it does."""
    if layer.kernel in ("ms_add", "ms_mul"):
        return _function_of_pair(layer, known)
    if layer.kernel not in ("ms_stage", "ms_table") or not _is_whole(layer.inputs[0]):
        return None
    x, stage = _known_function(layer.inputs[0], known), layer.stage
    if x is not None and layer.kernel == "ms_table":
        return x.then(layer, layer.weights[x.values - layer.shape["low"]], layer.inputs[1].bytes, 1)
    if x is not None and isinstance(stage, RowStage) and stage.rows == 1:
        return x.then(layer, stage.apply(x.values, np.zeros_like(x.values)), stage.bytes, 1)
    return None


def _known_function(x: Tensor, known: dict[int, _TensorFunction]) -> _TensorFunction | None:
    found = known.get(id(x.root))
    if found is None and x.data is None and x.root.high - x.root.low < _MOST_VALUES:
        found = _TensorFunction(x.root, np.arange(x.root.low, x.root.high + 1), frozenset())
    return found


def _is_whole(x: Tensor) -> bool:
    return x.data is None and x.start == 0 and x.dense and int(np.prod(x.shape)) == x.root.size


def _function_of_pair(layer: KernelCall, known: dict[int, _TensorFunction]) -> _TensorFunction | None:
    """Return the sum or product of functions of one tensor, or of one and a constant, if `layer` is such."""
    sides: list[int | _TensorFunction] = []
    combined = np.add if layer.kernel == "ms_add" else np.multiply
    for operand, steps in zip(layer.inputs, ("x_step", "w_step")):
        if operand.data is not None:
            if np.any(operand.data != operand.data.flat[0]):
                return None
            sides.append(int(operand.data.flat[0]))
            continue
        places = operand.start + walk(layer.shape, steps).ravel()
        own = _known_function(operand, known)
        if own is None or not np.array_equal(places, np.arange(operand.root.size)):
            return None
        sides.append(own)
    functions = [side for side in sides if isinstance(side, _TensorFunction)]
    if not functions or any(one.source is not functions[0].source for one in functions):
        return None
    values = combined(*(side.values if isinstance(side, _TensorFunction) else side for side in sides))
    first, last = functions[0], functions[-1]
    if first is last:
        return first.then(layer, values)
    layers, joins = first.layers | last.layers | {id(layer)}, bool(first.layers and last.layers)
    return _TensorFunction(
        first.source,
        values,
        layers,
        first.bytes + last.bytes,
        first.steps + last.steps,
        joins or first.joins or last.joins,
    )


def _worth_it(found: _TensorFunction) -> bool:
    """Tell whether a table pays: for two stages or more on a byte, and for sums whose table is small enough."""
    size = len(found.values)
    if found.steps < 2 or not found.joins and size > _BYTES:
        return False
    kind = smallest_type(int(found.values.min()), int(found.values.max()), "table")
    return size <= _SMALL or size * bits_of(kind) // 8 <= _FASTER * found.bytes


def _only_within_larger(part: Part, layer: KernelCall, known: dict[int, _TensorFunction]) -> bool:
    """Tell whether every reader of what `layer` gives is a part of a larger function that is worth a table."""
    readers = part.readers(layer.output)
    larger = [known.get(id(reader.output.root)) for reader in readers]
    within = all(one is not None and id(layer) in one.layers and _worth_it(one) for one in larger)
    return bool(readers) and within and all(t.root is not layer.output.root for t in part.outputs)


def _make_table(layer: KernelCall, found: _TensorFunction) -> None:
    values, x = found.values, found.source
    table = Tensor(f"{layer.output.name}_table", values.shape, int(values.min()), int(values.max()), values)
    layer.kernel, layer.operator, layer.stage, layer.accumulator = "ms_table", "Table", None, ""
    layer.inputs, layer.shape = [x.view(x.name, np.arange(x.size)), table], {"count": x.size, "low": x.low}
    layer.remark, layer.bias = f"{len(found.layers)} layers of one tensor", None
