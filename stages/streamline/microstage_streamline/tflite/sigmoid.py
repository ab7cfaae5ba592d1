"""Compute LOGISTIC and TANH of 16 bits between entries of a table: 2^16 / (1 + exp(-k / 24)) for k in 0..255.

Source: tensorflow/lite/kernels/internal/common.h (the table, whose last digits are its own),
reference/integer_ops/logistic.h, tanh.h.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from microstage_streamline.tflite import rules
from microstage_streamline.tflite.file import TfliteTensor

__all__ = ["logistic_of", "tanh_of"]

_TABLE = np.array(
    """
    32768 33451 34133 34813 35493 36169 36843 37513 38180 38841 39498 40149 40794 41432 42064 42688
    43304 43912 44511 45102 45683 46255 46817 47369 47911 48443 48964 49475 49975 50464 50942 51409
    51865 52311 52745 53169 53581 53983 54374 54755 55125 55485 55834 56174 56503 56823 57133 57433
    57724 58007 58280 58544 58800 59048 59288 59519 59743 59959 60168 60370 60565 60753 60935 61110
    61279 61441 61599 61750 61896 62036 62172 62302 62428 62549 62666 62778 62886 62990 63090 63186
    63279 63368 63454 63536 63615 63691 63765 63835 63903 63968 64030 64090 64148 64204 64257 64308
    64357 64405 64450 64494 64536 64576 64614 64652 64687 64721 64754 64786 64816 64845 64873 64900
    64926 64950 64974 64997 65019 65039 65060 65079 65097 65115 65132 65149 65164 65179 65194 65208
    65221 65234 65246 65258 65269 65280 65291 65301 65310 65319 65328 65337 65345 65352 65360 65367
    65374 65381 65387 65393 65399 65404 65410 65415 65420 65425 65429 65433 65438 65442 65445 65449
    65453 65456 65459 65462 65465 65468 65471 65474 65476 65479 65481 65483 65485 65488 65489 65491
    65493 65495 65497 65498 65500 65501 65503 65504 65505 65507 65508 65509 65510 65511 65512 65513
    65514 65515 65516 65517 65517 65518 65519 65520 65520 65521 65522 65522 65523 65523 65524 65524
    65525 65525 65526 65526 65526 65527 65527 65528 65528 65528 65529 65529 65529 65529 65530 65530
    65530 65530 65531 65531 65531 65531 65531 65532 65532 65532 65532 65532 65532 65533 65533 65533
    65533 65533 65533 65533 65533 65534 65534 65534 65534 65534 65534 65534 65534 65534 65534 65535
    """.split(),
    np.int64,
)


def logistic_of(x: TfliteTensor) -> Callable[[np.ndarray], np.ndarray]:
    """Return the integers of the sigmoid at scale 2^-15, of integers of `x`."""

    def finished(d: np.ndarray) -> np.ndarray:
        value = _interpolated(d, 9, 0x7FFF << 10)
        return np.where(d >= 0, value + (1 << 9), (1 << 25) - value + (1 << 9) - 1) >> 10

    return lambda v: finished(_rescaled(x, v, powers=1))


def tanh_of(x: TfliteTensor) -> Callable[[np.ndarray], np.ndarray]:
    """Return the integers of tanh at scale 2^-15, of integers of `x`."""

    def finished(d: np.ndarray) -> np.ndarray:
        value = _interpolated(d, 8, 0xFFFF << 8)
        return np.where(d >= 0, value - (1 << 23) + (1 << 7), -value + (1 << 23) + (1 << 7) - 1) >> 8

    return lambda v: finished(_rescaled(x, v, powers=2))


def _rescaled(x: TfliteTensor, v: np.ndarray, powers: int) -> np.ndarray:
    """Return `v` at scale 2^-12 / 3; from scales 2^-12 and so on, `powers` of them, without rounding."""
    logarithm = float(np.log(x.scale) * np.float32(1 / np.log(np.float32(2))))
    whole = rules.rounded(logarithm)
    if abs(logarithm - whole) < 1e-3 and 0 <= 12 + whole < powers:
        return v * (3 << (12 + whole))
    multiplier, shift = float(np.float64(x.scale) * 4096 * 3), 0
    while multiplier <= 32767 / 2 and shift <= 30:
        multiplier, shift = multiplier * 2, shift + 1
    return v * int(multiplier) + ((1 << shift) >> 1) >> shift


def _interpolated(d: np.ndarray, bits: int, beyond: int) -> np.ndarray:
    """Return the sigmoid of |d|, with `bits` more bits; the table has an entry for each 2^`bits` of them."""
    place, rest = np.minimum(np.abs(d) >> bits, 254), np.abs(d) & ((1 << bits) - 1)
    between = (_TABLE[place] << bits) + rest * (_TABLE[place + 1] - _TABLE[place])
    return np.where(np.abs(d) >> bits >= 255, beyond, between)
