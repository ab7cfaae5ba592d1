"""Compute the numbers that TensorFlow Lite Micro's kernels are prepared with, in the float type that each uses.

Source: tensorflow/lite/kernels/internal/quantization_util.cc, tensorflow/lite/kernels/kernel_util.cc, and the kernels'
`_common.cc`.
"""

from __future__ import annotations

import math

import numpy as np

from microstage.errors import ModelError
from microstage_streamline.tflite.file import TfliteTensor

__all__ = ["clamped", "multiplier", "multipliers", "ratio", "real_ends", "rounded", "shared"]

_ACTIVATIONS = {0: "NONE", 1: "RELU", 2: "RELU_N1_TO_1", 3: "RELU6", 4: "TANH", 5: "SIGN_BIT"}
_ENDS = {"NONE": (None, None), "RELU": (0.0, None), "RELU_N1_TO_1": (-1.0, 1.0), "RELU6": (0.0, 6.0)}


def multiplier(factor: float) -> tuple[int, int]:
    """Return (multiplier of 31 bits, shift) of a real factor >= 0 (QuantizeMultiplier)."""
    fraction, shift = math.frexp(factor)
    fixed = rounded(fraction * 2.0**31)
    if fixed == 2**31:
        fixed, shift = fixed // 2, shift + 1
    return (0, 0) if shift < -31 else (fixed, shift)


def ratio(x: TfliteTensor, out: TfliteTensor, times: float = 1.0) -> tuple[int, int]:
    """Return the multiplier of `times` the scale of `x` by that of `out`, in double precision."""
    return multiplier(float(np.float64(x.scale) * np.float64(times) / np.float64(out.scale)))


def multipliers(factors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (multipliers, shifts) of several factors, as `multiplier` has them."""
    found = np.array([multiplier(float(factor)) for factor in np.asarray(factors, np.float64).reshape(-1)], np.int64)
    return found[:, 0], found[:, 1]


def shared(multiplier: np.ndarray, shift: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a multiplier divided by a number of values, cut off (reference/reduce.h, QuantizedMeanOrSum)."""
    bits = np.minimum(min(count.bit_length() - 1, 32), 31 + shift)
    return (multiplier << bits) // count, shift - bits


def rounded(value: float) -> int:
    """Round half away from zero (TfLiteRound)."""
    return int(math.copysign(math.floor(abs(value) + 0.5), value))


def clamped(output: TfliteTensor, activation: int) -> tuple[int, int]:
    """Return the least and the largest integer that a fused activation lets through
    (CalculateActivationRangeQuantized).
    """
    low, high = output.ends
    least, most = real_ends(activation)
    low = low if least is None else max(low, output.zero + rounded(float(np.float32(least) / output.scale)))
    high = high if most is None else min(high, output.zero + rounded(float(np.float32(most) / output.scale)))
    return low, high


def real_ends(activation: int) -> tuple[float | None, float | None]:
    """Return where a fused activation cuts real numbers off."""
    name = _ACTIVATIONS.get(activation, str(activation))
    if name not in _ENDS:
        raise ModelError(f"has the fused activation {name}; expected one of {', '.join(_ENDS)}")
    return _ENDS[name]
