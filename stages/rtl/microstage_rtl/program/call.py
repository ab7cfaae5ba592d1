"""Tensors in buffers, and calls: what the machine does with them, before buffers have places in memory."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

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
    """Integers [shape] in row-major order from word `offset` of a buffer; each lies in low..high, int64 [shape]."""

    buffer: HeldWords
    shape: tuple[int, ...]
    low: np.ndarray
    high: np.ndarray
    offset: int = 0

    @property
    def size(self) -> int:
        """Count the integers."""
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def ends(self) -> tuple[int, int]:
        """Return the least and the greatest integer."""
        return int(self.low.min()), int(self.high.max())

    def seen_as(self, shape: tuple[int, ...]) -> HeldTensor:
        """Return the same integers in another shape of as many."""
        return replace(self, shape=shape, low=self.low.reshape(shape), high=self.high.reshape(shape))

    def part(self, first: int, shape: tuple[int, ...]) -> HeldTensor:
        """Return the integers [shape] from place `first` of this tensor on."""
        size = int(np.prod(shape, dtype=np.int64))
        low, high = (end.reshape(-1)[first : first + size].reshape(shape) for end in (self.low, self.high))
        return HeldTensor(self.buffer, shape, low, high, self.offset + first)


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
    notes: list[str] = field(default_factory=list)

    @property
    def single(self) -> bool:
        """Tell whether one result is made at a time, not one for each lane."""
        return self.kind != "macs" or self.loops[2][1] != 0

    @property
    def depth(self) -> int:
        """Count the integers that one result is made of."""
        return int(np.prod([count for count, _ in self.loops[3:]]))
