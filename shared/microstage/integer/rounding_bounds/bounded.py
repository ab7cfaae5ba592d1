"""A value, and the ends between which float32's version of it lies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from microstage.integer.tensor import QTensor, real

__all__ = ["NEAREST", "UNIT", "Bounded", "between", "rounded", "within"]

UNIT = 2.0**-24
NEAREST = 1 + 2.0**-20  # a product of several (1 + u) is at most 1 + their number times u times this


@dataclass(frozen=True)
class Bounded:
    """`exact` as the reference has it; `low` <= what float32 made of it <= `high`, arrays of the same shape."""

    exact: Any
    low: np.ndarray
    high: np.ndarray

    @classmethod
    def certain(cls, value: Any) -> Bounded:
        """Return a value that is there as it is: integers, or floats that a file stores."""
        is_real = isinstance(value, QTensor) or np.asarray(value).dtype.kind == "f"
        ends = real(value) if is_real else np.asarray(value)
        return cls(value, ends, ends)

    @classmethod
    def in_float32(cls, value: Any, roundings: int = 1) -> Bounded:
        """Return a value that is handed over as a float32, rounded so many times until it was one."""
        wide = isinstance(value, QTensor) and np.abs(value.ints).max(initial=0) >= 2**24
        return rounded(cls.certain(value), roundings + wide)

    @property
    def size(self) -> np.ndarray:
        """The largest magnitude."""
        return np.maximum(np.abs(self.low), np.abs(self.high)).astype(np.float64)

    @property
    def radius(self) -> np.ndarray:
        """How far from exact."""
        exact = real(self.exact)
        return np.maximum(np.maximum(self.high - exact, exact - self.low), 0.0)

    @property
    def is_certain(self) -> np.ndarray:
        """Where float32 holds the exact value."""
        return (self.low == self.high) & (self.low == real(self.exact))


def between(exact: Any, *ends: Any) -> Bounded:
    """Return the exact value, between the least and the greatest of it and of `ends`."""
    values = np.broadcast_arrays(real(exact), *(real(end) for end in ends))
    return Bounded(exact, np.minimum.reduce(values), np.maximum.reduce(values))


def within(exact: Any, radius: np.ndarray) -> Bounded:
    """Return the exact value, and as far from it as `radius` says."""
    return Bounded(exact, real(exact) - radius, real(exact) + radius)


def rounded(value: Bounded, times: int = 1) -> Bounded:
    """Return the result of one correctly rounded operation, or of so many of that size."""
    exact = real(value.exact)
    wide = times * UNIT * NEAREST * ~(value.is_certain & (exact.astype(np.float32) == exact))
    return Bounded(value.exact, value.low - wide * np.abs(value.low), value.high + wide * np.abs(value.high))
