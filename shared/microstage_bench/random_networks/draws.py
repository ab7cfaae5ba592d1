"""What a random network is drawn from: choices that are recorded, so that a network that fails is made simpler by
lowering them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np

__all__ = ["Draws"]

T = TypeVar("T")


class Draws:
    """The part of numpy's Generator that a block of a network uses. Single numbers are choices, of which the lowest is
    the simplest; arrays are noise of the same seed, whatever was chosen.

    `taken` are the choices made. `replayed`, if given, are made instead of drawn ones, cut to what is allowed, and the
    simplest behind their end.
    """

    def __init__(self, seed: int, replayed: Sequence[int] | None = None) -> None:
        choices, noise = np.random.SeedSequence(seed).spawn(2)
        self._choices, self._noise = np.random.default_rng(choices), np.random.default_rng(noise)
        self._replayed, self.taken = replayed, list[int]()

    def integers(self, low: int, high: int, size: Any = None) -> Any:
        """Draw one of low .. high - 1; simple is low."""
        if size is not None:
            return self._noise.integers(low, high, size)
        above = self._next(high - low)
        self.taken.append(above)
        return low + above

    def choice(self, options: Sequence[T]) -> T:
        """Draw one of `options`; simple is the first."""
        return options[self.integers(0, len(options))]

    def about(self, high: int) -> int:
        """Draw one of 1 .. high, small ones as often as large ones: 2^n <= high is as likely for each n."""
        return int(self.integers(1, min(high, 2 ** self.integers(1, high.bit_length() + 1) - 1) + 1))

    def width(self, high: int) -> int:
        """Draw one of 1 .. high, mostly large: behind a layer of one channel not much is left to go wrong."""
        return self.about(high) if self.integers(0, 4) < 1 else int(self.integers(1, high + 1))

    def random(self, size: Any) -> np.ndarray:
        """Draw noise in [0, 1)."""
        return self._noise.random(size)

    def _next(self, count: int) -> int:
        if self._replayed is None:
            return int(self._choices.integers(0, count))
        place = len(self.taken)
        return min(self._replayed[place], count - 1) if place < len(self._replayed) else 0
