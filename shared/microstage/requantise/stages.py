"""Define stages: how an exact sum becomes the integer that is stored.

    Raw                the sum itself
    Search             bias + scale * (number of thresholds that the sum reaches); one row of thresholds, or one per
                       channel
    Shared             bias + number of thresholds of one row that (sum << shift) + offset of the channel reaches
    MultiplyAddShift   (sum * multiplier + offset) >> shift, held to low..high; `even`: rounded, halves to the even
                       neighbour (or the odd one); with a `kink`, which is taken off where sum * multiplier + offset is
                       below `edge`
    Tabled             an entry of one table, at the place that a line gives
    Lines              (sum * multiplier + offset) >> shift, held to low..high; a shift for each channel

Search, MultiplyAddShift and Shared can be `raised` (give more), the first two be made one `of_raised` sums. `kind` and
`bytes` are those of the C kernels, which have no Tabled and no Lines.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

__all__ = ["Lines", "MultiplyAddShift", "Raw", "Search", "Shared", "Stage", "Tabled"]


@dataclass
class Raw:
    """Store the sum as it is; `wide`: in 64 bits, not 32."""

    wide: bool = False

    bytes = 0

    @property
    def kind(self) -> str:
        """Name the stage as the kernels do."""
        return "raw64" if self.wide else "raw32"

    def apply(self, sums: np.ndarray, channel: np.ndarray) -> np.ndarray:
        """Return `sums`."""
        return sums


@dataclass
class Search:
    """Count thresholds: int64 [rows, levels], each row ascending; rows is 1 or the number of channels."""

    thresholds: np.ndarray
    scale: int
    bias: int
    wide: bool = False
    "Whether sums are 64 bits wide."

    @property
    def kind(self) -> str:
        """Name the stage as the kernels do."""
        if self.wide:
            return "search64"
        reach = int(np.abs(self.thresholds).max(initial=0))
        return "search16" if reach < 2**15 else "search32"

    @property
    def bytes(self) -> int:
        """Count the bytes of its constants."""
        return self.thresholds.size * int(self.kind.removeprefix("search")) // 8

    @property
    def ends(self) -> tuple[int, int]:
        """Return the lowest and the highest integer that it can give."""
        last = self.bias + self.scale * self.thresholds.shape[1]
        return min(self.bias, last), max(self.bias, last)

    def apply(self, sums: np.ndarray, channel: np.ndarray) -> np.ndarray:
        """Return the stage of `sums` whose channels are `channel`, both of one shape."""
        counts = np.empty(sums.shape, np.int64)
        rows = np.zeros_like(channel) if len(self.thresholds) == 1 else channel
        for row in np.unique(rows):
            here = rows == row
            counts[here] = np.searchsorted(self.thresholds[row], sums[here], side="right")
        return self.bias + self.scale * counts

    @property
    def rows(self) -> int:
        """Count the rows of thresholds."""
        return len(self.thresholds)

    def of_rows(self, rows: np.ndarray) -> Search:
        """Return the same with the rows at these places."""
        return replace(self, thresholds=self.thresholds[rows])

    def raised(self, by: int) -> Search:
        """Return the same plus `by`."""
        return replace(self, bias=self.bias + by)

    def of_raised(self, added: np.ndarray) -> Search:
        """Return what gives, for sums that are larger by `added` (per channel or one), what this gives for the sums."""
        return replace(self, thresholds=self.thresholds + added[:, None])

    def held(self, low: int, high: int) -> Search:
        """Return the same over sums in low..high with every threshold within low..high + 1."""
        return Search(np.clip(self.thresholds, low, high + 1), self.scale, self.bias, self.wide)


@dataclass
class MultiplyAddShift:
    """Evaluate a line: `multiplier` and `offset` int64 [rows]; rows is 1 or the number of channels."""

    multiplier: np.ndarray
    offset: np.ndarray
    shift: int
    low: int
    high: int
    even: bool = False
    odd: bool = False
    "Halves are rounded to the odd neighbour instead."
    wide: bool = True
    kink: np.ndarray | None = None
    "int64 [rows], not negative: the line lies as much lower where it is below `edge`."
    edge: int = 0

    @property
    def rows(self) -> int:
        """Count the rows of constants."""
        return self.multiplier.size

    def of_rows(self, rows: np.ndarray) -> MultiplyAddShift:
        """Return the same with the rows at these places."""
        kink = None if self.kink is None else self.kink[rows]
        return replace(self, multiplier=self.multiplier[rows], offset=self.offset[rows], kink=kink)

    def raised(self, by: int) -> MultiplyAddShift:
        """Return the same plus `by`."""
        more, odd = by << self.shift, self.odd ^ bool(by % 2)
        return replace(
            self, offset=self.offset + more, edge=self.edge + more, low=self.low + by, high=self.high + by, odd=odd
        )

    def of_raised(self, added: np.ndarray) -> MultiplyAddShift:
        """Return what gives, for sums that are larger by `added` (per channel or one), what this gives for the sums."""
        return replace(self, offset=self.offset - self.multiplier * added)

    @property
    def kind(self) -> str:
        """Name the stage as the kernels do."""
        return "kink64" if self.kink is not None else "even64" if self.even else "affine64" if self.wide else "affine32"

    @property
    def bytes(self) -> int:
        """Count the bytes of its constants."""
        return self.multiplier.size * (4 + (8 if self.wide else 4) * (1 if self.kink is None else 2))

    def fits_32_bits(self, low: np.ndarray | int, high: np.ndarray | int) -> bool:
        """Tell whether every step fits int32_t for sums in low..high.

        What rounds to even or has a kink has steps of 64 bits.
        """
        if self.even or self.kink is not None:
            return False
        products = [self.multiplier * end for end in (low, high)]
        sums = [p + self.offset for p in products]
        return all(int(np.abs(v).max()) < 2**31 for v in (*products, *sums, self.offset))

    def apply(self, sums: np.ndarray, channel: np.ndarray) -> np.ndarray:
        """Return the stage of `sums` whose channels are `channel`, both of one shape."""
        rows = np.zeros_like(channel) if self.multiplier.size == 1 else channel
        value = sums * self.multiplier[rows] + self.offset[rows]
        if self.kink is not None:
            value = value - np.where(value < self.edge, self.kink[rows], 0)
        if self.even:
            value = value + (1 << (self.shift - 1)) - 1 + (value >> self.shift & 1 ^ self.odd)
        return np.clip(value >> self.shift, self.low, self.high)


@dataclass
class Shared:
    """Count thresholds of one row, int64 [levels], ascending, that a sum and an `offset`, int64 [channels], reach."""

    thresholds: np.ndarray
    offset: np.ndarray
    shift: int
    bias: int

    kind = "shared32"

    def raised(self, by: int) -> Shared:
        """Return the same plus `by`."""
        return replace(self, bias=self.bias + by)

    @property
    def bytes(self) -> int:
        """Count the bytes of its constants."""
        return 4 * (self.thresholds.size + self.offset.size)

    def apply(self, sums: np.ndarray, channel: np.ndarray) -> np.ndarray:
        """Return the stage of `sums` whose channels are `channel`, both of one shape."""
        return self.bias + np.searchsorted(self.thresholds, (sums << self.shift) + self.offset[channel], side="right")


@dataclass
class Lines:
    """Evaluate a line of its own shift for each channel: `multiplier`, `offset` and `shift` int64 [channels]."""

    multiplier: np.ndarray
    offset: np.ndarray
    shift: np.ndarray
    low: int
    high: int

    def apply(self, sums: np.ndarray, channel: np.ndarray) -> np.ndarray:
        """Return the stage of `sums` whose channels are `channel`, both of one shape."""
        value = sums * self.multiplier[channel] + self.offset[channel]
        return np.clip(value >> self.shift[channel], self.low, self.high)


@dataclass
class Tabled:
    """Look the integer up in `values`, int64 [line.high - line.low + 1], at the place that `line` gives."""

    line: MultiplyAddShift
    values: np.ndarray

    def apply(self, sums: np.ndarray, channel: np.ndarray) -> np.ndarray:
        """Return the stage of `sums` whose channels are `channel`, both of one shape."""
        return self.values[self.line.apply(sums, channel) - self.line.low]


Stage = Raw | Search | MultiplyAddShift | Shared | Lines | Tabled
