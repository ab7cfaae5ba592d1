"""Define the stage of more than 16 million levels and sums: a line whose products need up to 84 bits.

Wide     ((sum * multiplier + addend) >> shift), one less where what is shifted out is below `ties` and the level is
         odd, held to low..high
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from microstage.integer.fixed_point import PART
from microstage.requantise import MultiplyAddShift

__all__ = ["Wide", "requantisation"]

_WHOLE, _PARTS, _MULTIPLIER = 2**60, 2**85, 2**31
_LOWER = (1 << PART) - 1


@dataclass
class Wide:
    """Evaluate a line of wide products.

    `multiplier` and `addend` [rows] are Python's integers; rows is 1 or the number of channels. `split`: the lower 24
    bits of the multiplier are multiplied apart, and `ties` is a multiple of 2^24. `odd`: a level that is even is taken
    one down instead.
    """

    multiplier: np.ndarray
    addend: np.ndarray
    shift: int
    low: int
    high: int
    ties: int = 0
    odd: bool = False
    split: bool = False

    kind = "wide64"
    wide = True

    @property
    def rows(self) -> int:
        """Count the rows of constants."""
        return self.multiplier.size

    def raised(self, by: int) -> Wide:
        """Return the same plus `by`."""
        return replace(
            self,
            addend=self.addend + (by << self.shift),
            low=self.low + by,
            high=self.high + by,
            odd=self.odd ^ bool(by % 2),
        )

    def of_raised(self, added: np.ndarray) -> Wide:
        """Return what gives, for sums that are larger by `added` (per channel or one), what this gives for the sums."""
        return replace(self, addend=self.addend - self.multiplier * np.asarray(added).astype(object))

    def of_rows(self, rows: np.ndarray) -> Wide:
        """Return the same with the rows at these places."""
        return replace(self, multiplier=self.multiplier[rows], addend=self.addend[rows])

    @property
    def lift(self) -> int:
        """Count the lower bits of the multiplier that are multiplied apart."""
        return PART if self.split else 0

    @property
    def parts(self) -> dict[str, np.ndarray]:
        """Return the kernel's constants, int64: upper and lower part of the multiplier, addend and its lower part."""
        m, c, lower = self.multiplier, self.addend, (1 << self.lift) - 1
        found = {"upper": m >> self.lift, "lower": m & lower, "addend": c >> self.lift, "fine": c & lower}
        return {name: value.astype(np.int64) for name, value in found.items()}

    @property
    def bytes(self) -> int:
        """Count the bytes of its constants."""
        return 24 * self.multiplier.size

    def apply(self, sums: np.ndarray, channel: np.ndarray) -> np.ndarray:
        """Return the stage of `sums` whose channels are `channel`, both of one shape."""
        rows = np.zeros_like(channel) if self.multiplier.size == 1 else channel
        upper, lower, addend, fine = (value[rows] for value in self.parts.values())
        value = sums * upper + addend + ((sums * lower + fine) >> self.lift)
        level, fraction = value >> (self.shift - self.lift), value & ((1 << (self.shift - self.lift)) - 1)
        return np.clip(level - ((fraction < self.ties >> self.lift) & (level ^ self.odd) & 1), self.low, self.high)


def requantisation(
    multiplier: np.ndarray, addend: np.ndarray, shift: np.ndarray, low: int, high: int, ties: int, lift: int, reach: int
) -> MultiplyAddShift | Wide | None:
    """Return the stage of the operator `microstage.Requantize`, with one shift for all rows.

    `multiplier`, `addend` and `shift` are int64 [rows] or of length 1; sums have at most the size `reach`. Returns None
    where 84 bits do not hold the products.
    """
    most = int(shift.max())
    m, c = (
        np.array([int(v) << (most - int(s)) for v, s in zip(*np.broadcast_arrays(value, shift))], object)
        for value in (multiplier, addend)
    )
    c, odd, ties = c * (1 << lift), ties < 0, abs(ties) << lift
    largest = reach * max(map(abs, m)) + max(map(abs, c))
    narrow = largest < _WHOLE and max(map(abs, m)) < _MULTIPLIER
    if narrow and (ties == 0 or ties == 1 and most > 0):
        offset = c - (1 << most >> 1) if ties else c
        return MultiplyAddShift(m.astype(np.int64), offset.astype(np.int64), most, low, high, bool(ties), odd)
    split = largest >= _WHOLE
    if split and (largest >= _PARTS or ties & _LOWER or reach >= _WHOLE >> PART or most <= PART):
        return None
    return Wide(m, c, most, low, high, ties, odd, split)
