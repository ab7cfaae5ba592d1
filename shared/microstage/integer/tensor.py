"""Quantised tensors: value = scale * integer, exactly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from microstage.errors import ModelError

__all__ = ["QTensor", "alike", "checked", "narrowed", "real"]


@dataclass(frozen=True)
class QTensor:
    """`ints` int64 of any shape; `scale` float64, a scalar or broadcastable to `ints`; zero points are folded in."""

    ints: np.ndarray
    scale: np.ndarray

    @property
    def shape(self) -> tuple[int, ...]:
        return self.ints.shape


def real(value: QTensor | np.ndarray) -> np.ndarray:
    """Return the real value, float64: one multiplication, integer times scale."""
    if isinstance(value, QTensor):
        return value.ints.astype(np.float64) * value.scale
    return np.asarray(value, dtype=np.float64)


def alike(*values: QTensor | np.ndarray) -> tuple[QTensor | np.ndarray, ...]:
    """Return `values`, integers at scale 1 where others among them have a scale of their own; real numbers stay."""
    if not any(isinstance(value, QTensor) for value in values):
        return values
    return tuple(map(_at_a_scale, values))


def _at_a_scale(value: QTensor | np.ndarray) -> QTensor | np.ndarray:
    """Return an array of integers as a tensor at scale 1, anything else as it is."""
    if isinstance(value, QTensor) or not isinstance(value, np.ndarray) or value.dtype.kind not in "iu":
        return value
    return QTensor(value.astype(np.int64), np.float64(1))


def narrowed(value: np.ndarray) -> np.ndarray:
    """Return `value` with every axis along which it does not differ reduced to one."""
    for axis in range(value.ndim):
        first = value[(slice(None),) * axis + (slice(0, 1),)]
        if value.shape[axis] > 1 and (value == first).all():
            value = first
    return value


def checked(ints: np.ndarray) -> np.ndarray:
    """Return `ints` as int64.

    `ModelError` where a sum left the range in which float64, if they are that, or 64 bits are exact.
    """
    bits = 62 if ints.dtype.kind in "iu" else 53
    if ints.size and np.abs(ints).max() >= 2**bits:
        raise ModelError(f"An accumulator exceeds 2^{bits}: the network is too wide for exact evaluation.")
    return ints.astype(np.int64)
