"""Lower operators that only move values: the output is a view of the input's memory, and costs nothing."""

from __future__ import annotations

from collections.abc import Callable
from math import prod

import numpy as np

from microstage_cbackend.program.ir import Tensor
from microstage_cbackend.read.node import ReadNode

__all__ = ["MOVES", "move"]


def _flatten(node: ReadNode, places: np.ndarray) -> list[np.ndarray]:
    axis = node.attribute("axis", 1)
    axis += places.ndim if axis < 0 else 0
    return [places.reshape(prod(places.shape[:axis]), prod(places.shape[axis:]))]


def _reshape(node: ReadNode, places: np.ndarray) -> list[np.ndarray]:
    wanted = [int(d) for d in node.constant(1, "shape").ravel()]
    wanted = [places.shape[i] if d == 0 else d for i, d in enumerate(wanted)]
    known = prod(d for d in wanted if d != -1)
    shape = tuple(places.size // known if d == -1 else d for d in wanted)
    if prod(shape) != places.size:
        raise node.refuse(f"turns {places.size} values into shape {list(shape)}; the sizes must agree.")
    return [places.reshape(shape)]


def _axes(node: ReadNode, default: list[int]) -> list[int]:
    return [int(a) for a in node.constant(1, "axes").ravel()] if node.has(1) else list(node.attribute("axes", default))


def _squeeze(node: ReadNode, places: np.ndarray) -> list[np.ndarray]:
    axes = _axes(node, [i for i, d in enumerate(places.shape) if d == 1])
    if any(places.shape[a] != 1 for a in axes):
        raise node.refuse(f"drops axes {axes} of {list(places.shape)}; only axes of size 1 can go.")
    return [places.squeeze(tuple(axes))]


def _unsqueeze(node: ReadNode, places: np.ndarray) -> list[np.ndarray]:
    return [np.expand_dims(places, tuple(_axes(node, [])))]


def _transpose(node: ReadNode, places: np.ndarray) -> list[np.ndarray]:
    return [places.transpose(node.attribute("perm", list(reversed(range(places.ndim)))))]


def _split(node: ReadNode, places: np.ndarray) -> list[np.ndarray]:
    axis, count = node.attribute("axis", 0) % places.ndim, len(node.outputs)
    pieces = [int(n) for n in node.constant(1, "split").ravel()] if node.has(1) else list(node.attribute("split", []))
    size = places.shape[axis]
    pieces = pieces or [-(-size // count)] * (count - 1) + [size - (count - 1) * -(-size // count)]
    if sum(pieces) != size or len(pieces) != count or min(pieces) < 1:
        raise node.refuse(f"splits an axis of {size} into {pieces}; the pieces must add up to the axis.")
    return np.split(places, np.cumsum(pieces)[:-1], axis)


def _slice(node: ReadNode, places: np.ndarray) -> list[np.ndarray]:
    starts, ends = (node.constant(i, what).ravel() for i, what in ((1, "starts"), (2, "ends")))
    axes = node.constant(3, "axes").ravel() if node.has(3) else range(len(starts))
    steps = node.constant(4, "steps").ravel() if node.has(4) else [1] * len(starts)
    for axis, start, end, step in zip(axes, starts, ends, steps):
        index = [slice(None)] * places.ndim
        index[int(axis)] = slice(int(start), int(end), int(step))
        places = places[tuple(index)]
    if not places.size:
        raise node.refuse("takes nothing; a slice must hold a value.")
    return [places]


def _gather(node: ReadNode, places: np.ndarray) -> list[np.ndarray]:
    index, axis = node.constant(1, "places"), node.attribute("axis", 0)
    return [np.take(places, index, axis)]


MOVES: dict[str, Callable[[ReadNode, np.ndarray], list[np.ndarray]]] = {
    "Identity": lambda node, places: [places],
    "Dropout": lambda node, places: [places],
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Transpose": _transpose,
    "Split": _split,
    "Slice": _slice,
    "Gather": _gather,
}
"""Operators that only move values: places of the input's elements in memory -> places of each output's. They cost
nothing."""


def move(node: ReadNode) -> list[Tensor]:
    """Lower an operator that moves values: view the input's memory at other places."""
    x = node.x
    return [x.view(name, places) for name, places in zip(node.outputs, MOVES[node.operator](node, x.places))]
