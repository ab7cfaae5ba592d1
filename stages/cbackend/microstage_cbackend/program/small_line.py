"""Define the stage of the kernels for small machines: a line of eight bytes a channel.

SmallLine   value = offset + ((sum * 2^fine + bias) * multiplier >> 32), less a kink where it is below `edge`; what is
            stored is value >> shift, held to low..high; offset, shift, fine and edge are one for all channels
kinks       the kink of each multiplier: its highest bit, as many bits lower as a stage that rounds twice has it
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["FINE", "FINE_SHIFTS", "SHIFTS", "SmallLine", "kinks"]

SHIFTS = (4, 7, 10, 13, 1)
FINE_SHIFTS = (12, 15, 9, 18, 6)
"Those of MS_SMALL_SHIFTS, MS_SMALL_FINE_SHIFTS that most layers need first: a program has kernels for what it uses."
FINE = 8
"Bits behind the point of a fine line's biases."
_LOWER = 24


def kinks(multiplier: np.ndarray) -> np.ndarray:
    """Return 2^(bits of the multiplier - 24), 0 where that is no integer; `multiplier` is 0..2^31 - 1."""
    bits = np.frexp(multiplier.astype(np.float64))[1].astype(np.int64)
    return (np.int64(1) << bits) >> _LOWER


@dataclass
class SmallLine:
    """Evaluate a line: `bias` and `multiplier` int64 [channels].

    `low` and `high` hold what is stored as a byte; `flip` is 128 where that byte is an int8_t of 128 less, else 0.
    `fine` is 0 or FINE; `edge` is 0 where there is no kink.
    """

    bias: np.ndarray
    multiplier: np.ndarray
    offset: int
    shift: int
    low: int
    high: int
    flip: int = 0
    fine: int = 0
    edge: int = 0

    kind = "line"

    @property
    def form(self) -> str:
        """Name the form: line, fine, or bent, which is a fine one with a kink."""
        return "bent" if self.edge else "fine" if self.fine else "line"

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
        multiplier = self.multiplier[channel]
        value = self.offset + (((sums << self.fine) + self.bias[channel]) * multiplier >> 32)
        value = value - np.where(value < self.edge, kinks(multiplier), 0)
        return np.clip(value >> self.shift, self.low, self.high) - self.flip
