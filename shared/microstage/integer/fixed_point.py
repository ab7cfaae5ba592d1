"""Operators of domain `microstage`: integers of integers.

They go where thresholds in FINN's float32 containers do not reach.
"""

from __future__ import annotations

import numpy as np

from microstage.errors import ModelError
from microstage.integer import ranges
from microstage.integer.registry import Kind, OperatorTable

__all__ = ["TABLE", "DOMAIN", "PART", "line", "spread"]

TABLE = OperatorTable()

DOMAIN = "microstage"
PART = 24  # bits of the lower part of a multiplier whose products 64 bits do not hold as a whole
_FITS = 2**62


def spread(constant: np.ndarray, axis: int, rank: int) -> np.ndarray:
    """Return one number for all, or one per channel, in a shape that meets a tensor of `rank`.

    The channels of that tensor lie along `axis`.
    """
    flat = np.asarray(constant, np.int64).reshape(-1)
    return flat.reshape(()) if flat.size == 1 else flat.reshape([-1 if place == axis else 1 for place in range(rank)])


def line(x, multiplier, addend, shift, ties: int = 0, lift: int = 0) -> np.ndarray:
    """Return floor(v / 2^shift) for v = x * multiplier + addend * 2^lift, exact.

    It is one less where v mod 2^shift < |`ties`| * 2^lift and the result is odd. So a half, which the addend lifts by
    less than `ties`, becomes the even neighbour; the odd one if `ties` is negative.

    `lift` is 0, or 24, which is less than every shift then: products of up to 84 bits, the lower 24 bits of the
    multiplier apart from the rest. `ModelError` where a number leaves 62 bits all the same.
    """
    x, multiplier, addend, shift = (np.asarray(value, np.int64) for value in (x, multiplier, addend, shift))
    upper, lower = multiplier >> lift, multiplier & ((1 << lift) - 1)
    for part, more in ((upper, int(np.abs(addend).max(initial=0))), (lower, 0)):
        if int(np.abs(x).max(initial=0)) * (int(np.abs(part).max(initial=0)) + 1) + more >= _FITS:
            raise ModelError(
                f"multiplies integers up to {np.abs(x).max()} by {np.abs(multiplier).max()}, which 64 bits do not hold"
            )
    value = x * upper + addend + (x * lower >> lift)
    level, fraction = value >> (shift - lift), value & ((np.int64(1) << (shift - lift)) - 1)
    return level - ((fraction < abs(ties)) & (level ^ (ties < 0)) & 1) if ties else level


@TABLE.entry("Requantize", kind=Kind.FIXED, ranges=ranges.between_ends)
def requantize(arguments, attributes):
    """Return clip(`line`(x, multiplier, addend, shift, ties, lift), low, high).

    Constants are one number, or one for each channel along `axis`.
    """
    x = np.asarray(getattr(arguments[0], "ints", arguments[0])).astype(np.int64)
    constants = [spread(value, attributes.get("axis", 1) % x.ndim, x.ndim) for value in arguments[1:]]
    return np.clip(
        line(x, *constants, attributes.get("ties", 0), attributes.get("lift", 0)), attributes["low"], attributes["high"]
    )


@TABLE.entry("Table", kind=Kind.FIXED, ranges=ranges.of_table)
def table(arguments, attributes):
    """Return table[channel, x - low]: any function of integers in low..low + n - 1.

    There is one row for all, or one for each channel along `axis`.
    """
    x, rows = np.asarray(arguments[0]).astype(np.int64), np.asarray(arguments[1], np.int64)
    places = x - attributes["low"]
    if places.min(initial=0) < 0 or places.max(initial=0) >= rows.shape[1]:
        raise ModelError(f"a table of {rows.shape[1]} values from {attributes['low']} on is given {x.min()}..{x.max()}")
    channels = spread(np.arange(len(rows)), attributes.get("axis", 1) % x.ndim, x.ndim) if len(rows) > 1 else 0
    return rows[channels, places]
