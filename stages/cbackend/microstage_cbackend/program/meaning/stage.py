"""Compute how the sums of a layer become what it stores."""

from __future__ import annotations

import numpy as np

from microstage.requantise import Raw
from microstage_cbackend.program.ir import KernelCall, type_range

__all__ = ["finish"]


def finish(layer: KernelCall, sums: np.ndarray, channels: np.ndarray) -> np.ndarray:
    """Return the stage of `sums` [..., channels], after the bias."""
    if layer.bias is not None:
        sums = sums + layer.bias.integers
    low, high = type_range(layer.accumulator)
    assert low <= sums.min(initial=0) and sums.max(initial=0) <= high, f"{layer.node}: a sum leaves {layer.accumulator}"
    channels = np.broadcast_to(channels, sums.shape)
    if not isinstance(layer.stage, Raw):
        low, high = (end[channels] if end.size > 1 else end for end in layer.reach)
        assert np.all((low <= sums) & (sums <= high)), (
            f"{layer.node}: a sum leaves the range that its stage is proven for"
        )
    return layer.requantisation.apply(sums, channels)
