"""Lay the constants of the kernels for small machines out in the orders that their forms read.

pack_small_rows   the canonical order, that of the C99 form
"""

from __future__ import annotations

import numpy as np

from microstage_cbackend.kernels.layouts import pack_fields

__all__ = ["pack_small_rows", "small_depth"]


def small_depth(used: int) -> int:
    """Count the weights of a row of `used` weights with the zeros behind them."""
    return -(-used // 8) * 8


def pack_small_rows(weights: np.ndarray, bits: int = 8) -> np.ndarray:
    """Pack [filters, used] into int8 [filters, small_depth(used) * bits / 8].

    Field t of byte i of a row is weight t * bytes + i. Of one bit, 1 is -1 and 0 is +1, behind the used ones too, where
    a patch is 0.
    """
    padded = np.pad(weights, ((0, 0), (0, small_depth(weights.shape[1]) - weights.shape[1])))
    return pack_fields(padded.reshape(len(padded), 8 // bits, -1), 1, bits)
