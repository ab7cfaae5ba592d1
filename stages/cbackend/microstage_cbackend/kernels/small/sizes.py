"""Count the working memory of the kernels for small machines: the most that any form of a kernel needs, in bytes."""

from __future__ import annotations

from collections.abc import Mapping

from microstage_cbackend.kernels.small.pairs import pairs_depth

__all__ = ["conv_scratch", "depthwise_scratch"]

_POSITIONS = 4
_WALK, _SUMS = 176, 32


def conv_scratch(shape: Mapping[str, int]) -> int:
    """Count the bytes for a shape of ms_small_conv: patches of at most four positions, in 16 bits, eight sums, and the
    walk of ms_small_conv_dsp.h."""
    positions = shape["out_height"] * shape["out_width"]
    return 2 * (_POSITIONS if positions >= _POSITIONS else 1) * max(shape["depth"], pairs_depth(shape)) + _WALK + _SUMS


def depthwise_scratch(shape: Mapping[str, int]) -> int:
    """Count the bytes for a shape of ms_small_depthwise: the rows of a channel that one row of outputs sees."""
    span = (shape["kernel_h"] - 1) * shape["dilation_h"] + 1
    columns = (shape["out_width"] - 1) * shape["stride_w"] + (shape["kernel_w"] - 1) * shape["dilation_w"] + 1
    return span * columns
