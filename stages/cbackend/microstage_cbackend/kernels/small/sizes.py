"""Count the working memory of the kernels for small machines: the most that any form of a kernel needs, in bytes."""

from __future__ import annotations

from collections.abc import Mapping

from microstage_cbackend.kernels.small.pairs import pairs_depth

__all__ = ["conv_scratch", "depthwise_scratch", "xnor_scratch"]

_POSITIONS = 4
_WALK, _SUMS = 216, 32
_STATE = 208
"Bytes that the forms for Helium and RISC-V keep at the head of scratch, at most."
_GROUP = 4
"Channels that are split at once."
_JOB = 260
"Bytes of ms_small_depthwise_job_dsp."
_PLANES = 2200
"Bytes of planes, where one row of outputs needs no more."


def conv_scratch(shape: Mapping[str, int]) -> int:
    """Count the bytes for a shape of ms_small_conv: patches of at most four positions, and what lies beside them."""
    return max(_halves(shape), _vectors(shape))


def _halves(shape: Mapping[str, int]) -> int:
    """Count what Armv7E-M needs: patches in 16 bits, eight sums, and the walk of ms_small_conv_dsp.h."""
    positions = shape["out_height"] * shape["out_width"]
    return 2 * (_POSITIONS if positions >= _POSITIONS else 1) * max(shape["depth"], pairs_depth(shape)) + _WALK + _SUMS


def _vectors(shape: Mapping[str, int]) -> int:
    """Count what Helium needs: patches of four positions, in blocks that 16 bytes of weights fill, behind its state."""
    together = 128 // shape["bits"]
    used = shape["planes"] * shape["kernel_h"] * shape["kernel_w"] * shape["channels"]
    patch = -(-used // together) * together
    return _STATE + patch * (1 if shape["out_height"] * shape["out_width"] < _POSITIONS else _POSITIONS)


def depthwise_scratch(shape: Mapping[str, int]) -> int:
    """Count the bytes for a shape of ms_small_depthwise: the rows that outputs see, of some channels."""
    return max(_planes(shape), _rows(shape))


def _rows(shape: Mapping[str, int]) -> int:
    """Count what Helium needs: the rows that one row of outputs sees, of eight channels, behind its state."""
    span = (shape["kernel_h"] - 1) * shape["dilation_h"] + 1
    columns = (shape["out_width"] - 1) * shape["stride_w"] + (shape["kernel_w"] - 1) * shape["dilation_w"] + 1
    return _STATE + 8 * span * columns


def _planes(shape: Mapping[str, int]) -> int:
    """Count what Armv7E-M needs: planes of 16 bits of four channels, and what lies before them.

    The planes hold the rows that as many rows of outputs see as fit a budget.
    """
    span = (shape["kernel_h"] - 1) * shape["dilation_h"] + 1
    pairs = ((shape["kernel_w"] - 1) * shape["dilation_w"] + 2) // 2
    if _is_3x3(shape):
        pitch, taps = (shape["out_width"] + 1 if shape["stride_w"] == 2 else (shape["out_width"] + 3) // 2), 0
    else:
        whole = -(-shape["out_width"] // _POSITIONS) * _POSITIONS
        pitch, taps = ((whole - 1) * shape["stride_w"] + 1) // 2 + pairs, shape["kernel_h"] * pairs
    row = 4 * _GROUP * pitch
    more = max(0, _PLANES - span * row) // (row * shape["stride_h"])
    return _JOB + row * (span + min(more, shape["out_height"] - 1) * shape["stride_h"]) + 4 * taps


def _is_3x3(shape: Mapping[str, int]) -> bool:
    """Tell whether the kernels of 3 x 3 taps compute a depthwise convolution."""
    kernel = (shape["kernel_h"], shape["kernel_w"], shape["dilation_w"])
    return kernel == (3, 3, 1) and shape["stride_w"] <= 2 and shape["out_width"] > 1


def xnor_scratch(shape: Mapping[str, int]) -> int:
    """Count the bytes for a shape of ms_small_xnor: counts of 64 filters, and a patch that is not in one piece."""
    runs = shape["runs_h"] * shape["runs_w"]
    return 256 + (8 * runs * shape["length"] if runs > 1 else 0)
