"""Find the loops that walk along words of a memory in a given order."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

__all__ = ["pieces", "walk"]

_FURTHEST = 3
"Loops that a copy walks along."
_ONE = (1, 0)


def walk(places: np.ndarray) -> tuple[tuple[int, int], ...] | None:
    """Return three (count, stride) that walk along `places` in row-major order, None where there are no such."""
    loops, length = _begin(places.ravel())
    return loops if length == places.size else None


def pieces(places: np.ndarray) -> Iterator[tuple[int, int]]:
    """Yield (first, length) of parts of `places` in row-major order, each of which can be walked along."""
    first, flat = 0, places.ravel()
    while first < flat.size:
        _, length = _begin(flat[first:])
        yield first, length
        first += length


def _begin(flat: np.ndarray) -> tuple[tuple[tuple[int, int], ...], int]:
    """Return loops, the outermost first, and how many of the words they walk along, from the first one on.

    From the inside out each takes as many of the blocks so far as are alike and lie evenly apart.
    """
    loops: list[tuple[int, int]] = []
    length = 1
    while len(loops) < _FURTHEST and 2 * length <= flat.size:
        blocks = flat[: flat.size // length * length].reshape(-1, length)
        stride = int(blocks[1, 0] - blocks[0, 0])
        alike = (blocks == blocks[0] + stride * np.arange(len(blocks))[:, None]).all(axis=1)
        count = len(blocks) if alike.all() else int(np.argmin(alike))
        if count == 1:
            break
        loops.insert(0, (count, stride))
        length *= count
    return (*(_ONE,) * (_FURTHEST - len(loops)), *loops), length
