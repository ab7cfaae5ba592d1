"""Lay the constants of the kernels for small machines out in the orders that their forms read.

pack_small_rows   the canonical order, that of the C99 form
pack_small_mve    Helium: 16 weights of two filters in turn, without sign
pack_small_quads  RISC-V: weights of four filters together
whole_filters     lines of filters, filled up to whole blocks of them
pack_small_depthwise_mve, pack_small_lines_mve   depthwise of Helium: weights and lines of eight channels together
pack_small_signs  words of signs, filter after filter
"""

from __future__ import annotations

import numpy as np

from microstage_cbackend.kernels.layouts import pack_fields

__all__ = [
    "pack_small_depthwise_mve",
    "pack_small_lines_mve",
    "pack_small_mve",
    "pack_small_quads",
    "pack_small_rows",
    "pack_small_signs",
    "small_depth",
    "whole_filters",
]


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


def pack_small_mve(weights: np.ndarray, bits: int = 8) -> np.ndarray:
    """Pack [filters, used] into int8 [filters / 2][blocks][2 filters][16], filters filled up to a multiple of 4.

    A byte holds 8 / bits fields: field t of byte i of a block is weight 16 * t + i of the block's 128 / bits.
    Fields are w + 2^(bits - 1), of one bit 1 for +1 and 0 for -1; behind the used weights 0.
    """
    fields, half = 8 // bits, 1 << (bits - 1)
    raised = (weights.astype(np.int64) + half) >> (bits == 1)
    padded = np.pad(raised, ((0, -len(raised) % 4), (0, -raised.shape[1] % (16 * fields))))
    blocks = padded.reshape(len(padded) // 2, 2, -1, fields, 16).transpose(0, 2, 1, 3, 4)
    steps = np.arange(fields).reshape(-1, 1) * bits
    return (blocks << steps).sum(axis=3).astype(np.uint8).view(np.int8).ravel()


def pack_small_quads(weights: np.ndarray, bits: int = 8) -> np.ndarray:
    """Pack [filters, used] into int8 [filters / 4][depth / 2][bits], two weights of four filters in `bits` bytes.

    Fields of fewer than 8 bits lie in that order from the lowest bits of the first byte on, as w + 2^(bits - 1), of one
    bit 1 for +1 and 0 for -1; behind the used weights 0.
    """
    signed = weights.astype(np.int64)
    fields = signed & 255 if bits == 8 else (signed + (1 << (bits - 1))) >> (bits == 1)
    padded = np.pad(fields, ((0, -len(fields) % 4), (0, small_depth(fields.shape[1]) - fields.shape[1])))
    steps = np.arange(8 // bits) * bits
    quads = padded.reshape(len(padded) // 4, 4, -1).transpose(0, 2, 1).reshape(-1, 8 // bits)
    return (quads << steps).sum(axis=1).astype(np.uint8).view(np.int8)


def whole_filters(lines: np.ndarray, block: int) -> np.ndarray:
    """Return bias and multiplier [filters, 2], with zeros behind them up to a multiple of `block` filters."""
    return np.pad(lines, ((0, -len(lines) % block), (0, 0)))


def pack_small_depthwise_mve(weights: np.ndarray) -> np.ndarray:
    """Pack int8 [channels, kernel_h, kernel_w] into [channels / 8][kernel_h][kernel_w][8], filled up with zeros."""
    padded = np.pad(weights, ((0, -len(weights) % 8), (0, 0), (0, 0)))
    return padded.reshape(-1, 8, *weights.shape[1:]).transpose(0, 2, 3, 1).astype(np.int8).ravel()


def pack_small_lines_mve(lines: np.ndarray) -> np.ndarray:
    """Pack bias and multiplier [channels, 2] into [channels / 8][bias, multiplier][even, odd channels][4]."""
    return whole_filters(lines, 8).reshape(-1, 4, 2, 2).transpose(0, 3, 2, 1).ravel()


def pack_small_signs(blocks: np.ndarray, filters: int) -> np.ndarray:
    """Turn what pack_signs gives, [filters / 8, words, 8], into uint64 [filters, words], for ms_small_xnor."""
    return np.ascontiguousarray(blocks.transpose(0, 2, 1).reshape(-1, blocks.shape[1])[:filters])
