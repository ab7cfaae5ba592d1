"""Say in which orders the constants of kernels for small machines are written, each for the form that reads it.

CONDITIONS                                       when a unit reads an order
small_conv_weights, small_conv_lines             {order: constant} of a shape of ms_small_conv, rows first
small_depthwise_weights, small_depthwise_lines   the same of ms_small_depthwise
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from microstage_cbackend.kernels.layouts import ROWS
from microstage_cbackend.kernels.small.layouts import (
    pack_small_depthwise_mve,
    pack_small_lines_mve,
    pack_small_mve,
    pack_small_quads,
    pack_small_rows,
    whole_filters,
)
from microstage_cbackend.kernels.small.pairs import pack_small_pairs, small_pairs_q

__all__ = [
    "CONDITIONS",
    "small_conv_lines",
    "small_conv_weights",
    "small_depthwise_lines",
    "small_depthwise_weights",
]

_PAIRS, _MVE, _QUADS, _DEPTHWISE_MVE = "pairs", "mve", "quads", "depthwise_mve"
CONDITIONS = {
    _PAIRS: "MS_SMALL_FORM == 1",
    _MVE: "MS_SMALL_FORM == 2",
    _QUADS: "MS_SMALL_FORM == 3",
    _DEPTHWISE_MVE: "MS_SMALL_DEPTHWISE_FORM == 2",
}
"What a preprocessor says where constants lie in an order that is not rows."
_BLOCK = 4
"Filters that the form for Helium takes at once."
Shape = Mapping[str, int]
Orders = dict[str, np.ndarray]


def small_conv_weights(weights: np.ndarray, shape: Shape) -> Orders:
    """Return {order: weights} of `weights` [filters, patch]."""
    bits = shape["bits"]
    rows = {ROWS: pack_small_rows(weights, bits)}
    pairs, mve, quads = pack_small_pairs(weights, shape), pack_small_mve(weights, bits), pack_small_quads(weights, bits)
    return rows | {_PAIRS: pairs.astype("<i4").view(np.int8), _MVE: mve, _QUADS: quads}


def small_conv_lines(lines: np.ndarray, shape: Shape, fine: bool) -> Orders:
    """Return {order: q} of `lines`, bias and multiplier [filters, 2]; RISC-V reads them in rows."""
    return {ROWS: lines, _PAIRS: small_pairs_q(lines, shape, fine), _MVE: whole_filters(lines, _BLOCK)}


def small_depthwise_weights(weights: np.ndarray, shape: Shape) -> Orders:
    """Return {order: weights} of `weights` [channels, taps]."""
    taps = weights.reshape(-1, shape["kernel_h"], shape["kernel_w"])
    return {ROWS: weights, _DEPTHWISE_MVE: pack_small_depthwise_mve(taps)}


def small_depthwise_lines(lines: np.ndarray) -> Orders:
    """Return {order: q} of `lines`, bias and multiplier [channels, 2], in the orders of `small_depthwise_weights`."""
    return {ROWS: lines, _DEPTHWISE_MVE: pack_small_lines_mve(lines)}
