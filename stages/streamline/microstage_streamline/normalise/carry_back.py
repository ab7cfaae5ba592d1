"""Lay constants behind an operator that moves values out as they stand in front of it: f(move(x), c) =
move(f(x, c')).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from microstage.integer import QTensor
from microstage.integer.interpreter import run_node
from microstage.integer.registry import Kind, named
from microstage.integer.tensor import narrowed
from microstage_streamline.graph.graph import Node
from microstage_streamline.normalise.normal_graph import NormalGraph

__all__ = ["carried", "single", "stays_in_pool"]

_BY_AXIS = ("QuantizeLinear", "DequantizeLinear")  # constants of one dimension lie along the attribute `axis`
_SYMMETRIC = ("Add", "Mul", "Min", "Max")
_FILL = 0
_MOST_VALUES = 1 << 22


def carried(normal: NormalGraph, node: Node, mover: Node) -> list[Node] | None:
    """Return, for each tensor that `mover` moves, `node` as it reads that tensor itself; None where no such constants
    are.

    Precondition: `node` is a function of each element of the mover's output; all its other inputs are constants.
    """
    sources = [name for name in mover.inputs if name and not normal.is_constant(name)]
    values = [normal.values[name] for name in sources]
    found = _places(normal, mover, sources)
    if found is None:
        return None
    early = []
    for source, value, start in zip(sources, values, _starts(values)):
        one = _before(normal, node, mover, source, found - start, value.shape)
        if one is None:
            return None
        early.append(one)
    return early


def _starts(values: Iterable[Any]) -> list[int]:
    """Number the first value of each tensor: 1, where the one before ends, and so on."""
    return list(np.cumsum([1, *(int(np.prod(value.shape)) for value in values)])[:-1])


def _places(normal: NormalGraph, mover: Node, sources: list[str]) -> np.ndarray | None:
    """Return, for each value that `mover` gives, the number of the one that it was.

    None where it is the largest of some, or new.
    """
    shapes = [normal.values[name].shape for name in sources]
    if sum(int(np.prod(shape)) for shape in shapes) > _MOST_VALUES:
        return None
    numbers = {
        name: np.arange(int(np.prod(shape))).reshape(shape) + start
        for name, shape, start in zip(sources, shapes, _starts(normal.values[name] for name in sources))
    }
    constants = {name: normal.values[name] for name in mover.inputs if name and name not in numbers}
    there, back = (
        run_node(mover.proto(), {**constants, **{n: sign * x for n, x in numbers.items()}})[mover.output]
        for sign in (1, -1)
    )
    return there if np.array_equal(there, -back) and (there != _FILL).all() else None


def _before(
    normal: NormalGraph, node: Node, mover: Node, source: str, places: np.ndarray, shape: tuple[int, ...]
) -> Node | None:
    """Return `node` on the tensor `source` of `shape`, whose value `places[i]` became value i, if it is its own."""
    inputs, flags, axes = [], dict(node.flags), set()
    for name in node.inputs:
        value = normal.graph.constants.get(name)
        if name == mover.output or not name or value is None or np.size(getattr(value, "ints", value)) == 1:
            inputs.append(source if name == mover.output else single(normal, name))
            continue
        moved = None if isinstance(value, QTensor) else _moved_back(_spread(node, value, places.ndim), places, shape)
        if moved is None:
            return None
        if node.op in _BY_AXIS:
            axes |= {axis for axis, size in enumerate(moved.shape) if size > 1}
            moved = moved.reshape(-1)
        inputs.append(normal.constant(name, moved))
    if len(axes) > 1:
        return None
    return Node(node.op, inputs, [], {**flags, "axis": axes.pop()} if axes else flags, node.layer)


def single(normal: NormalGraph, name: str) -> str:
    """Return a constant of one value as one that adds no axis to what it meets; any other as it is."""
    value = normal.graph.constants.get(name)
    if not isinstance(value, np.ndarray) or value.size != 1 or value.ndim < 2:
        return name
    return normal.constant(name, value.reshape(()))


def _spread(node: Node, value: np.ndarray, rank: int) -> np.ndarray:
    """Return a constant of `node`, to be broadcast to a tensor of `rank`."""
    if node.op not in _BY_AXIS or value.ndim != 1:
        return value
    return value.reshape([-1 if axis == node.flags.get("axis", 1) % rank else 1 for axis in range(rank)])


def _moved_back(value: np.ndarray, places: np.ndarray, shape: tuple[int, ...]) -> np.ndarray | None:
    """Return a constant in the order in front of the mover; None where one value there would have two.

    What nobody reads has what the first has.
    """
    if not _fits(value.shape, places.shape):
        return None
    values, size = np.broadcast_to(value, places.shape).reshape(-1), int(np.prod(shape))
    own = (places.reshape(-1) >= 0) & (places.reshape(-1) < size)
    if not own.any():
        return None
    found = np.full(size, values[own][0], value.dtype)
    found[places.reshape(-1)[own]] = values[own]
    if not np.array_equal(found[places.reshape(-1)[own]], values[own]):
        return None
    return narrowed(found.reshape(shape))


def _fits(shape: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    """Tell whether a constant of `shape` can be broadcast to a tensor of the `wanted` one."""
    behind = wanted[len(wanted) - len(shape) :]
    return len(shape) <= len(wanted) and all(size in (1, other) for size, other in zip(shape, behind))


def stays_in_pool(normal: NormalGraph, node: Node, mover: Node) -> bool:
    """Tell whether the constants of `node` are the same all over each window of a pool, and make a function that never
    falls: it commutes with a maximum.
    """
    rises, shape = named(node.op).rises, normal.values[mover.inputs[0]].shape
    if node.inputs[0] != mover.output and node.op not in _SYMMETRIC:
        return False
    if named(mover.op).kind is not Kind.MOVES or rises is None or len(shape) != len(normal.values[mover.output].shape):
        return False
    stored = [normal.graph.constants.get(name) for name in node.inputs if name != mover.output and name]
    if any(value is None or isinstance(value, QTensor) for value in stored):
        return False
    return bool(rises(stored)) and all(
        _constant_in_windows(normal, mover, _spread(node, np.asarray(value), len(shape))) for value in stored
    )


def _constant_in_windows(normal: NormalGraph, mover: Node, value: np.ndarray) -> bool:
    """Tell whether a constant is along no axis that the pool joins values of."""
    shape = normal.values[mover.inputs[0]].shape
    for axis, size in enumerate((1,) * (len(shape) - value.ndim) + value.shape):
        if size > 1 and (size != shape[axis] or not _keeps(normal, mover, axis)):
            return False
    return True


def _keeps(normal: NormalGraph, mover: Node, axis: int) -> bool:
    """Tell whether a pool leaves one axis as it is."""
    source = normal.values[mover.inputs[0]].shape
    index = np.arange(source[axis]).reshape([-1 if a == axis else 1 for a in range(len(source))])
    given = np.broadcast_to(index, source)
    found = [
        sign * run_node(mover.proto(), {**normal.values, mover.inputs[0]: sign * given})[mover.output]
        for sign in (1, -1)
    ]
    return all(
        one.shape[axis] == source[axis] and np.array_equal(one, np.broadcast_to(index, one.shape)) for one in found
    )
