"""Write a line of two values as vector kernels want it."""

from __future__ import annotations

import numpy as np

from microstage.requantise import MultiplyAddShift

__all__ = ["one_step"]


def one_step(stage: MultiplyAddShift) -> MultiplyAddShift:
    """Return the same function with the shift of 32 that vector kernels want, where it has two values.

    A function of two values has one step, which any slope can make.
    """
    if stage.high - stage.low != 1 or stage.even or np.any(stage.multiplier < 1):
        return stage
    step = -((stage.offset - (stage.high << stage.shift)) // stage.multiplier)  # the least sum that gives `high`
    return MultiplyAddShift(np.ones_like(stage.multiplier), (stage.high << 32) - step, 32, stage.low, stage.high)
