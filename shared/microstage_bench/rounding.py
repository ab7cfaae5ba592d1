"""From an exact accumulator to the integers of the next tensor, in the three meanings that are in use.

`half_even` is the product's own reference and what a QDQ graph says: the real value in float64, divided by the output
scale, rounded. `half_up` differs on ties. `tflite` is the fixed-point arithmetic of TensorFlow Lite's reference
kernels: a multiplier of 31 bits and a shift, each of which rounds ("double rounding"), so that a few values in a
thousand land on the next level.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from microstage.errors import ParameterError
from microstage_bench.network import Quantity

__all__ = ["ROUNDINGS", "multiplier_of", "requantise", "tflite_add", "tflite_average"]

ROUNDINGS = ("half_even", "half_up", "tflite")
_REAL: dict[str, Callable[[np.ndarray], np.ndarray]] = {"half_even": np.rint, "half_up": lambda x: np.floor(x + 0.5)}
_ADD_HEADROOM = 20


def requantise(accumulator: np.ndarray, scale: np.ndarray, output: Quantity, rounding: str) -> np.ndarray:
    """Turn int64 accumulators of real value accumulator * `scale` (broadcast) into int8 of `output`."""
    if rounding not in ROUNDINGS:
        raise ParameterError(f"rounding {rounding} is not known: expected one of {', '.join(ROUNDINGS)}.")
    if rounding == "tflite":
        return clipped(_fixed_point(accumulator, np.asarray(scale, np.float64) / output.scale), output)
    return clipped(_REAL[rounding](accumulator.astype(np.float64) * scale / output.scale).astype(np.int64), output)


def clipped(levels: np.ndarray, output: Quantity) -> np.ndarray:
    """Turn levels relative to the zero point into int8 of `output`."""
    return np.clip(levels + output.zero, output.low, output.high).astype(np.int8)


def tflite_add(
    first: np.ndarray, second: np.ndarray, quantities: tuple[Quantity, Quantity], output: Quantity
) -> np.ndarray:
    """Compute TFLite's sum of two int8 tensors: both brought to half of the larger scale with 20 bits of headroom, then
    requantised.
    """
    twice = 2.0 * max(quantity.scale for quantity in quantities)
    raised = [
        _fixed_point((x.astype(np.int64) - q.zero) << _ADD_HEADROOM, np.float64(q.scale / twice))
        for x, q in zip((first, second), quantities)
    ]
    return clipped(_fixed_point(sum(raised), np.float64(twice / (2**_ADD_HEADROOM * output.scale))), output)


def tflite_average(total: np.ndarray, count: int, output: Quantity) -> np.ndarray:
    """Compute TFLite's mean: the sum of raw int8 values, zero points included, divided with halves away from zero."""
    magnitude = (np.abs(total) + count // 2) // count
    return np.clip(np.sign(total) * magnitude, output.low, output.high).astype(np.int8)


def _fixed_point(x: np.ndarray, factor: np.ndarray) -> np.ndarray:
    """Compute TFLite's MultiplyByQuantizedMultiplier with each factor's own 31-bit multiplier and exponent."""
    parts = [multiplier_of(value) for value in np.ravel(factor)]
    multiplier, exponent = (np.array(part, np.int64).reshape(np.shape(factor)) for part in zip(*parts))
    product = (x << np.maximum(exponent, 0)) * multiplier
    doubled = _toward_zero(product + np.where(product >= 0, 2**30, 1 - 2**30), 31)
    return _half_away(doubled, np.maximum(-exponent, 0))


def multiplier_of(value: float) -> tuple[int, int]:
    """Return TFLite's 31-bit multiplier of a real factor, and the power of two beside it."""
    fraction, exponent = math.frexp(value)
    quantised = math.floor(fraction * 2**31 + 0.5)
    return (quantised // 2, exponent + 1) if quantised == 2**31 else (quantised, exponent)


def _toward_zero(x: np.ndarray, bits: int) -> np.ndarray:
    return np.where(x >= 0, x >> bits, -((-x) >> bits))


def _half_away(x: np.ndarray, bits: np.ndarray) -> np.ndarray:
    """Divide x by 2^bits, halves away from zero."""
    mask = (np.int64(1) << bits) - 1
    return (x >> bits) + ((x & mask) > (mask >> 1) + (x < 0))
