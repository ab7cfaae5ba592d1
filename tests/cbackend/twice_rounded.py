"""Stages that round twice, as TensorFlow Lite's reference kernels define them, and what the generator makes of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from microstage.requantise import MultiplyAddShift, Search, fit_affine
from microstage_cbackend.passes.small.fit_line import FittedLine, fit_line
from microstage_cbackend.program.ir import KernelCall, Tensor

__all__ = ["TwiceRounded", "fitted", "twice_rounded"]


@dataclass
class TwiceRounded:
    """Hold bias, multiplier (2^30..2^31 - 1) and right shift [channels], zero point and the lowest level."""

    bias: np.ndarray
    multiplier: np.ndarray
    shift: np.ndarray
    zero: int
    low: int

    def of(self, sums: np.ndarray) -> np.ndarray:
        """Return the levels of sums [..., channels]: gemmlowp's SaturatingRoundingDoublingHighMul, then
        RoundingDivideByPOT."""
        high = (sums + self.bias) * self.multiplier + 2**30 >> 31
        mask = (np.int64(1) << self.shift) - 1
        levels = (high >> self.shift) + ((high & mask) > (mask >> 1) + (high < 0))
        return np.clip(levels + self.zero, self.low, 127)


def twice_rounded(random: np.random.Generator, low: np.ndarray, high: np.ndarray, relu: bool) -> TwiceRounded:
    """Draw one that has most of its levels over low..high [channels]; of a `relu` none is negative but for the zero."""
    slope = 255 / (high - low) * np.exp2(random.uniform(-2, 2, low.shape))
    shift = np.clip(np.ceil(-np.log2(slope)), 1, 30).astype(np.int64) - 1
    multiplier = np.clip(np.rint(slope * 2.0 ** (31 + shift)), 2**30, 2**31 - 1).astype(np.int64)
    bias = np.rint(random.uniform(-0.8, 0.2, low.shape) * (low + high)).astype(np.int64)
    zero = -128 if relu else int(random.integers(-60, 60))
    return TwiceRounded(bias, multiplier, shift, zero, -128)


def fitted(
    quantiser: TwiceRounded, low: np.ndarray, high: np.ndarray, shape: dict[str, int], kernel: str = "ms_small_conv"
) -> tuple[MultiplyAddShift, FittedLine | None]:
    """Return the stage that the compiler reads from the quantiser's steps over low..high, and the line of it."""
    levels = np.arange(quantiser.low + 1, 128)
    rows = []
    for channel in range(low.size):
        sums = np.arange(low[channel], high[channel] + 1)
        wide = np.repeat(sums[:, None], low.size, axis=1)
        rows.append(sums[0] + np.searchsorted(quantiser.of(wide)[:, channel], levels))
    stage = fit_affine(Search(np.array(rows), 1, quantiser.low), low, high)
    assert stage is not None
    partial = min(0, int(low.min())), max(0, int(high.max()))
    x, y = Tensor("x", (1, low.size), 0, 255), Tensor("y", (1, low.size), -128, 127, declared="int8_t")
    layer = KernelCall("n", "Conv", kernel, [x], y, shape, "int32_t", stage=stage, partial=partial, reach=(low, high))
    return stage, fit_line(layer, stage, 128)
