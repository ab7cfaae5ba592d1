"""Tensors in buffers, and calls: what the machine does with them, before buffers have places in memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import prod

import numpy as np

from microstage_rtl.program.requantisation import Requantisation

__all__ = ["HeldWords", "Call", "HeldTensor"]


@dataclass(eq=False)
class HeldWords:
    """So many words of the activations' memory; `pinned` ones keep their words from one run to the next."""

    name: str
    size: int
    pinned: bool = False


@dataclass(frozen=True)
class HeldTensor:
    """Integers at `places`, words of a buffer, int64 [shape]; each lies in low..high, int64 [shape].

    What only moves integers costs nothing: it gives other places in the same buffer.
    """

    buffer: HeldWords
    places: np.ndarray
    low: np.ndarray
    high: np.ndarray

    @classmethod
    def in_order(cls, buffer: HeldWords, shape: tuple[int, ...], low, high, first: int = 0) -> HeldTensor:
        """Return integers [shape] in row-major order from word `first` on; `low` and `high` may be broadcast."""
        places = np.arange(first, first + prod(shape), dtype=np.int64).reshape(shape)
        return cls(buffer, places, *(np.broadcast_to(np.asarray(end, np.int64), shape) for end in (low, high)))

    @property
    def shape(self) -> tuple[int, ...]:
        """Return the sizes of the axes."""
        return self.places.shape

    @property
    def size(self) -> int:
        """Count the integers."""
        return self.places.size

    @property
    def start(self) -> int:
        """Return the word of the first integer."""
        return int(self.places.flat[0])

    @property
    def is_in_order(self) -> bool:
        """Tell whether the integers lie side by side in row-major order."""
        return bool((np.diff(self.places.ravel()) == 1).all())

    @property
    def axes_as_they_lie(self) -> tuple[int, ...]:
        """Return the axes in the order in which they lie in memory, those with the widest steps first."""
        steps = [
            int(abs(self.places.take(1, axis).flat[0] - self.start)) if size > 1 else self.buffer.size
            for axis, size in enumerate(self.shape)
        ]
        return tuple(sorted(range(len(steps)), key=lambda axis: -steps[axis]))

    @property
    def ends(self) -> tuple[int, int]:
        """Return the least and the greatest integer."""
        return int(self.low.min()), int(self.high.max())

    def moved(self, move: Callable[[np.ndarray], np.ndarray]) -> HeldTensor:
        """Return what `move` makes of an array of this shape."""
        return replace(self, places=move(self.places), low=move(self.low), high=move(self.high))

    def seen_as(self, shape: tuple[int, ...]) -> HeldTensor:
        """Return the same integers in another shape of as many."""
        return self.moved(lambda array: array.reshape(shape))

    def part(self, first: int, shape: tuple[int, ...]) -> HeldTensor:
        """Return the integers [shape] from place `first` of this tensor on."""
        return self.moved(lambda array: array.reshape(-1)[first : first + prod(shape)].reshape(shape))


@dataclass
class Call:
    """One loop nest over words of a buffer.

    `loops`: (count, stride) of two loops over positions, one over groups, and three over what one result is made of,
    outermost first. Results come channel by channel; after `channels` of them the next row of results begins `row`
    words behind the last row's beginning. `other`: the second operand of a pair, which takes the innermost loop.
    `weights` int64 [channels, integers of a result]. `sums`: the least and greatest result before requantisation.
    """

    name: str
    kind: str
    x: HeldTensor
    loops: tuple[tuple[int, int], ...]
    y: HeldTensor | None
    channels: int
    row: int
    stage: Requantisation
    sums: tuple[int, int]
    other: HeldTensor | None = None
    weights: np.ndarray | None = None
    on_start: bool = False
    last: bool = False
    "The call that ends the frame on the output stream."

    @property
    def single(self) -> bool:
        """Tell whether one result is made at a time, not one for each lane."""
        return self.kind != "macs" or self.loops[2][1] != 0

    @property
    def depth(self) -> int:
        """Count the integers that one result is made of."""
        return int(np.prod([count for count, _ in self.loops[3:]]))
