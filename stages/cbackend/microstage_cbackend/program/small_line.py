"""Define the stage of the kernels for small machines: a line of eight bytes a channel.

SmallLine   (offset + ((sum + bias) * multiplier >> 32)) >> shift, held to low..high; offset and shift are one for all
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["SHIFTS", "SmallLine"]

SHIFTS = (4, 7, 10, 13, 1)
"The shifts of MS_SMALL_SHIFTS, those that most layers need first: a program has kernels for the shifts that it uses."


@dataclass
class SmallLine:
    """Evaluate a line: `bias` and `multiplier` int64 [channels].

    `low` and `high` hold what is stored as a byte; `flip` is 128 where that byte is an int8_t of 128 less, else 0.
    """

    bias: np.ndarray
    multiplier: np.ndarray
    offset: int
    shift: int
    low: int
    high: int
    flip: int = 0

    kind = "line"

    @property
    def rows(self) -> int:
        """Count the rows of constants."""
        return self.bias.size

    @property
    def bytes(self) -> int:
        """Count the bytes of its constants."""
        return 8 * self.bias.size

    @property
    def constants(self) -> np.ndarray:
        """Return bias and multiplier of each channel, [channels, 2]."""
        return np.stack([self.bias, self.multiplier], axis=1)

    def apply(self, sums: np.ndarray, channel: np.ndarray) -> np.ndarray:
        """Return the stage of `sums` whose channels are `channel`, both of one shape."""
        value = (self.offset + ((sums + self.bias[channel]) * self.multiplier[channel] >> 32)) >> self.shift
        return np.clip(value, self.low, self.high) - self.flip
