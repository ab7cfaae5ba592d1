"""Append layers that copy and join tensors, and see tensors as they lie in memory.

Tensors are seen in the order that the graph gives them; in memory images lie channels last, so that transposing an
image costs nothing. Every method takes `place`, the beginning of every error sentence.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from microstage.errors import ModelError
from microstage_cbackend.program.ir import KernelCall, Part, Tensor
from microstage_cbackend.program.places import padded_loops

__all__ = ["MemoryBuilder"]


class MemoryBuilder:
    """Append layers to `part` that copy values, and see tensors as they lie in memory."""

    def __init__(self, part: Part) -> None:
        self.part = part

    def layer(
        self,
        place: str,
        operator: str,
        kernel: str,
        inputs: list[Tensor],
        output: Tensor,
        shape: dict[str, Any],
        accumulator: str = "",
        remark: str = "",
    ) -> KernelCall:
        """Append one kernel call that fills `output`."""
        name = place.removeprefix("Node ").split(" ")[0]
        self.part.layers.append(KernelCall(name, operator, kernel, inputs, output, shape, accumulator, remark))
        return self.part.layers[-1]

    def dense(self, place: str, x: Tensor) -> Tensor:
        """Return `x` in memory as the graph orders it; copied only where it is not."""
        return x if x.dense else self.packed(place, x, x.places)

    def packed(self, place: str, x: Tensor, places: np.ndarray) -> Tensor:
        """Return a dense copy of the elements at `places`."""
        y = Tensor(f"{x.name}_copy", places.shape, x.low, x.high)
        self._copy(place, "Copy", x, places.ravel(), y, np.arange(places.size))
        y.reach = None if x.root.reach is None else tuple(end[places.ravel()] for end in x.root.reach)
        return y

    def channels_last(self, place: str, x: Tensor) -> Tensor:
        """Return an image [1, channels, (height,) width] as it lies in memory, [(height,) width, channels].

        It is copied only where it must.
        """
        order = [*range(2, len(x.shape)), 1]
        places = x.places[0].transpose([a - 1 for a in order])
        seen = x.view(x.name, places)
        return seen if seen.dense else self.packed(place, seen, places)

    def _channels_first(self, y: Tensor, image: tuple[int, ...]) -> Tensor:
        """Return [(1,) height, width, channels] as the graph sees it, [1, channels, (height,) width]."""
        places = y.places.reshape(*image, y.shape[-1])
        return y.view(y.name, np.moveaxis(places, -1, 0)[None])

    def copy(self, place: str, x: Tensor, y: Tensor) -> None:
        """Fill the dense `y` with the elements of `x` in the graph's order; constants too."""
        walk = np.argsort(x.places.ravel()) if x.data is None else np.arange(x.size)
        if x.data is None and padded_loops([x.places.ravel()[walk], walk]) is None:
            walk = np.arange(x.size)
        self._copy(place, "Copy", x, x.places.ravel()[walk], y, walk)

    def _copy(self, place: str, operator: str, x: Tensor, taken: np.ndarray, y: Tensor, put: np.ndarray) -> None:
        """Fill places `put` of `y` with the elements `taken` of `x`."""
        found = padded_loops([taken, put])
        if found is None:
            return self._gather(place, operator, x, taken, y, put)
        size, (x_step, y_step) = found
        shape = {"size": size, "x_start": int(taken[0]), "x_step": x_step, "y_start": int(put[0]), "y_step": y_step}
        self.layer(place, operator, "ms_copy", [x.root], y, shape)

    def _gather(self, place: str, operator: str, x: Tensor, taken: np.ndarray, y: Tensor, put: np.ndarray) -> None:
        """Fill places `put` of `y` with the elements `taken` of `x`, which lie in no few loops."""
        order = np.argsort(put, kind="stable")
        taken, put = taken[order], put[order]
        dense = np.array_equal(put, np.arange(put[0], put[0] + len(put)))
        row = (
            y.root.view(y.name, put)
            if dense
            else Tensor(f"{y.name}_row{len(self.part.layers)}", (len(put),), y.low, y.high)
        )
        places = Tensor(
            f"{y.name}_places{len(self.part.layers)}", taken.shape, int(taken.min()), int(taken.max()), taken
        )
        self.layer(place, operator, "ms_gather", [x.root, places], row, {"count": len(taken)})
        if not dense:
            if padded_loops([np.arange(len(put)), put]) is None:
                raise ModelError(f"{place} fills places along more than four axes at once; split it into two nodes.")
            self._copy(place, operator, row, np.arange(len(put)), y, put)

    def _memory_order(self, place: str, x: Tensor) -> tuple[Tensor, np.ndarray]:
        """Return `x` without gaps in memory, and its elements (in the graph's order) in the order of memory."""
        order = np.argsort(x.places.ravel(), kind="stable")
        sorted_places = x.places.ravel()[order]
        if not np.array_equal(sorted_places, np.arange(sorted_places[0], sorted_places[0] + len(order))):
            x = self.packed(place, x, x.places)
            order = np.arange(x.size)
        return x, order

    def _in_order_of(self, x: Tensor, y: Tensor, order: np.ndarray) -> Tensor:
        """Return `y`, which lies in memory order, in the shape and order of `x`."""
        places = np.empty(len(order), np.int64)
        places[order] = np.arange(len(order))
        return y.view(y.name, places.reshape(x.shape))

    def pad(self, place: str, operator: str, name: str, x: Tensor, pads: np.ndarray, fill: int) -> Tensor:
        """Put `fill` around `x`, `pads` [2, axes] values wide before and behind.

        The result lies in memory as `x` does.
        """
        shape = tuple(int(n) for n in np.add(x.shape, pads.sum(axis=0)))
        order = np.argsort([-s for s in _steps(x)], kind="stable")
        y = Tensor(name, shape, min(x.low, fill), max(x.high, fill))
        places = np.arange(prod(shape)).reshape([shape[a] for a in order]).transpose(np.argsort(order))
        outside = Tensor(f"{name}_fill", (1,), fill, fill, np.array([fill]))
        inner = places
        for axis in order:
            before, size = int(pads[0][axis]), x.shape[axis]
            for slab in (inner.take(range(before), axis), inner.take(range(before + size, inner.shape[axis]), axis)):
                if slab.size:
                    self._copy(place, operator, outside, np.zeros(slab.size, np.int64), y, np.sort(slab.ravel()))
            inner = inner.take(range(before, before + size), axis)
        walk = np.argsort(inner.ravel())
        self._copy(place, operator, x, x.places.ravel()[walk], y, inner.ravel()[walk])
        return y.view(name, places)

    def concat(self, place: str, operator: str, name: str, inputs: list[Tensor], axis: int) -> Tensor:
        """Copy each operand into the output, which lies in memory as the first operand does."""
        first = inputs[0]
        shape = (*first.shape[:axis], sum(x.shape[axis] for x in inputs), *first.shape[axis + 1 :])
        order = np.argsort([-s for s in _steps(first)], kind="stable")  # outermost axis in memory first
        y = Tensor(name, shape, min(x.low for x in inputs), max(x.high for x in inputs))
        places = np.arange(prod(shape)).reshape([shape[a] for a in order]).transpose(np.argsort(order))
        pieces = np.split(places, np.cumsum([x.shape[axis] for x in inputs])[:-1], axis)
        for x, piece in zip(inputs, pieces):
            walk = np.argsort(piece.ravel())
            self._copy(place, operator, x, x.places.ravel()[walk], y, piece.ravel()[walk])
        return y.view(name, places)


def _steps(x: Tensor) -> list[int]:
    places = x.places
    return [int(places.take(1, a).flat[0] - places.flat[0]) if n > 1 else 0 for a, n in enumerate(x.shape)]
