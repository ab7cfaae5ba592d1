"""The ends of a network as one runtime has them: how its numbers stand for real ones.

C, an ONNX file and a .tflite file of one network take other types, zero points and orders of axes; what they share are
the real numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from microstage.errors import VerificationError

__all__ = ["End", "arranged", "converted"]


@dataclass(frozen=True, eq=False)
class End:
    """One input or output: real = scale * (number - zero) + offset, each broadcast over `shape` (without the batch).

    `scale` is None where the numbers are real already.
    """

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype
    scale: np.ndarray | float | None = None
    zero: np.ndarray | float = 0.0
    offset: np.ndarray | float = 0.0

    @property
    def size(self) -> int:
        return int(np.prod(self.shape))

    def real(self, numbers: np.ndarray) -> np.ndarray:
        """Return the real values of numbers, float64 [n, *shape]."""
        values = np.asarray(numbers).astype(np.float64).reshape(len(numbers), *self.shape)
        return values if self.scale is None else self.scale * (values - self.zero) + self.offset

    def levels(self, real: np.ndarray) -> np.ndarray:
        """Return the nearest whole numbers, int64, within a type or not; of real numbers, themselves."""
        return real if self.scale is None else np.rint((real - self.offset) / self.scale + self.zero).astype(np.int64)

    def numbers(self, real: np.ndarray) -> np.ndarray:
        """Return [n, *shape] as the runtime takes them."""
        found, kind = self.levels(arranged(real, self.shape)), np.dtype(self.dtype)
        if kind.kind in "iu":
            found = np.clip(found, np.iinfo(kind).min, np.iinfo(kind).max)
        return np.ascontiguousarray(found.astype(kind))

    def within(self, file: End) -> End:
        """Return this end of C, whose integers may be the file's own numbers (scale 1) or what the file makes of them
        first.
        """
        if self.scale is None or file.scale is None or np.any(np.asarray(self.scale) != 1.0):
            return self
        return replace(self, scale=file.scale, zero=self.zero - self.offset + file.zero, offset=0.0)


def converted(values: Sequence[np.ndarray], given: Sequence[End], taken: Sequence[End]) -> list[np.ndarray]:
    """Convert numbers at the ends `given` to numbers at the ends `taken`, which are in the same order."""
    if len(given) != len(taken):
        raise VerificationError(f"It has {len(taken)} of what the C has {len(given)} of: another network.")
    return [end.numbers(source.real(value)) for value, source, end in zip(values, given, taken)]


def arranged(values: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """Bring [n, ...] into another order of axes: as it is, channels moved to the end or to the front, or the same row
    of numbers.
    """
    count, found, wanted = len(values), values.shape[1:], tuple(shape)
    if found == wanted or len(found) < 3 or len(wanted) < 3:
        if int(np.prod(found)) != int(np.prod(wanted)):
            raise VerificationError(f"It has shape {list(wanted)} where the C has {list(found)}: another network.")
        return values.reshape(count, *wanted)
    for moved in (np.moveaxis(values, 1, -1), np.moveaxis(values, -1, 1)):
        if moved.shape[1:] == wanted:
            return moved
    raise VerificationError(f"It has shape {list(wanted)} where the C has {list(found)}: another network.")
