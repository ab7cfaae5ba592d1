"""Count the working memory of the kernels for small machines: the most that any form of a kernel needs, in bytes."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["conv_scratch", "depthwise_scratch"]

_POSITIONS = 4


def conv_scratch(shape: Mapping[str, int]) -> int:
    """Count the bytes for a shape of ms_small_conv: patches of at most four positions, in 16 bits."""
    return 2 * min(_POSITIONS, shape["out_height"] * shape["out_width"]) * shape["depth"]


def depthwise_scratch(shape: Mapping[str, int]) -> int:
    """Count the bytes for a shape of ms_small_depthwise: the rows of a channel that one row of outputs sees."""
    span = (shape["kernel_h"] - 1) * shape["dilation_h"] + 1
    columns = (shape["out_width"] - 1) * shape["stride_w"] + (shape["kernel_w"] - 1) * shape["dilation_w"] + 1
    return span * columns
