"""Collect the specialised kernels' C, and lay constants out as they read them.

fast_files    the headers that kernels/README.md describes
pack_*        constants in the order in which those kernels read them
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

__all__ = [
    "ROWS",
    "depthwise_lanes",
    "fast_files",
    "pack_blocks",
    "pack_depthwise",
    "pack_depthwise_blocks",
    "pack_fields",
    "pack_rows",
    "pack_signs",
    "row_depth",
    "sign_words",
    "wide_shift",
]

ROWS = "rows"
"The canonical order of packed weights."
_FOLDER = Path(__file__).parent
_PLACES = (_FOLDER, _FOLDER / "small")


def fast_files(*headers: str) -> dict[str, str]:
    """Return file name -> C text of the fast kernels' `headers` and of all that they include.

    For example fast_files("ms_conv_u8.h").
    """
    found: dict[str, str] = {}
    waiting = list(headers)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = next(path for path in (place / name for place in _PLACES) if path.is_file()).read_text()
            waiting += re.findall(r'^#include "([\w/]+\.h)"', found[name], re.MULTILINE)
    return dict(sorted(found.items()))


def row_depth(used: int) -> int:
    """Count the bytes of a row of `used` weights in pack_rows, the `depth` of ms_conv_u8_shape.

    Rows are whole vectors for compilers.
    """
    step = 16 if used <= 16 else 32
    return -(-used // step) * step


def pack_rows(weights: np.ndarray, bits: int = 8) -> np.ndarray:
    """Pack [filters, runs, length] into int8 [filters, row_depth(runs * length) * bits / 8], zeros at the end.

    ms_conv_u8 reads it where MS_BLOCKED is 0. Field t of byte i of a row is weight t * bytes + i.
    """
    flat = weights.reshape(weights.shape[0], -1)
    padded = np.pad(_fields(flat, bits), ((0, 0), (0, row_depth(flat.shape[1]) - flat.shape[1])))
    return _joined(padded.reshape(len(flat), 8 // bits, -1), 1, bits)


def pack_blocks(weights: np.ndarray, bits: int = 8) -> np.ndarray:
    """Pack [filters, runs, length] into int8 [runs][length * bits / 32][64 or 16 filters][4 inputs], zero-filled.

    ms_conv_u8 reads it where MS_BLOCKED is 1, block of filters by block: filters are taken 64 at a time, the rest 16 at
    a time. Field t of a byte belongs to the t-th of the 8 / bits groups of 4 inputs that share it.
    """
    filters, runs, length = weights.shape
    fields = 8 // bits
    padded = np.pad(_fields(weights, bits), ((0, -filters % 16), (0, 0), (0, -length % (4 * fields))))
    blocks = padded.reshape(-1, 16, runs, padded.shape[2] // (4 * fields), fields, 4)
    joined = _joined(blocks.transpose(0, 2, 3, 4, 1, 5), 3, bits)
    whole = filters // 64 * 4
    tiles = joined[:whole].reshape(-1, 4, runs, joined.shape[2], 64).transpose(0, 2, 3, 1, 4)
    return np.concatenate([tiles.ravel(), joined[whole:].ravel()])


def pack_fields(weights: np.ndarray, axis: int, bits: int) -> np.ndarray:
    """Join the weights along `axis` to bytes of fields of `bits`, the first in the lowest bits."""
    return _joined(_fields(weights, bits), axis, bits)


def _fields(weights: np.ndarray, bits: int) -> np.ndarray:
    """Return two's complement in `bits`; of one bit: 1 for -1, 0 for +1."""
    integers = weights.astype(np.int64)
    return (integers < 0).astype(np.int64) if bits == 1 else integers & ((1 << bits) - 1)


def _joined(fields: np.ndarray, axis: int, bits: int) -> np.ndarray:
    """Join the fields along `axis` to bytes, the first in the lowest bits."""
    steps = np.arange(fields.shape[axis]).reshape([-1] + [1] * (fields.ndim - axis - 1)) * bits
    return np.ascontiguousarray((fields << steps).sum(axis=axis).astype(np.uint8)).view(np.int8)


def pack_depthwise(weights: np.ndarray) -> np.ndarray:
    """Pack int8 [channels, kernel_h, kernel_w] into [kernel_h][kernel_w][channels].

    ms_depthwise_u8 reads it where MS_DEPTHWISE_BLOCKED is 0.
    """
    return np.ascontiguousarray(weights.transpose(1, 2, 0)).astype(np.int8)


def depthwise_lanes(channels: int) -> int:
    """Count the bytes of a position that ms_depthwise_u8 reads at once: of few channels, more than there are."""
    return next((lanes for lanes in (8, 16, 32) if channels <= lanes), channels)


def pack_depthwise_blocks(weights: np.ndarray) -> np.ndarray:
    """Pack int8 [channels, kernel_h, kernel_w] into [channels / 64][kernel_h / 4][kernel_w][256 bytes].

    ms_depthwise_u8 reads it where MS_DEPTHWISE_BLOCKED is 1. Byte 64 * v + 16 * q + 4 * c + i is row i of lane
    16 * q + 4 * v + c; at most 32 channels, in depthwise_lanes, repeat through the 64 lanes.
    """
    channels, height, width = weights.shape
    each = depthwise_lanes(channels)
    lanes = np.tile(np.pad(weights, ((0, each - channels), (0, 0), (0, 0))), (max(1, 64 // each), 1, 1))
    lanes = np.pad(lanes, ((0, -len(lanes) % 64), (0, -height % 4), (0, 0)))
    parts = lanes.reshape(-1, 4, 4, 4, lanes.shape[1] // 4, 4, width)  # block, q, v, c, row group, i, column
    return np.ascontiguousarray(parts.transpose(0, 4, 6, 2, 1, 3, 5)).astype(np.int8)


def sign_words(values: np.ndarray) -> np.ndarray:
    """Pack -1 and +1 [..., n] into uint64 [..., ceil(n / 64)].

    A bit is 1 for +1; value k is bit k of its word; unused bits are 0.
    """
    positive = np.pad(values > 0, [(0, 0)] * (values.ndim - 1) + [(0, -values.shape[-1] % 64)])
    return np.packbits(positive, axis=-1, bitorder="little").view("<u8").astype(np.uint64)


def pack_signs(weights: np.ndarray) -> np.ndarray:
    """Pack -1 and +1 [filters, positions, channels] into uint64 [filters / 8][words][8 filters], for ms_xnor."""
    words = sign_words(weights).reshape(weights.shape[0], -1)
    padded = np.pad(words, ((0, -len(words) % 8), (0, 0)))
    return np.ascontiguousarray(padded.reshape(-1, 8, words.shape[1]).transpose(0, 2, 1))


def wide_shift(multiplier: np.ndarray, offset: np.ndarray, shift: int) -> tuple[np.ndarray, np.ndarray, int]:
    """Return the same line with a shift of at least 32, which the vector kernels want.

    The shift stays smaller where 32-bit multipliers and 62-bit offsets do not allow it.
    """
    room = min(30 - _bits(multiplier), 60 - _bits(offset))
    more = min(max(0, 32 - shift), max(0, room))
    return multiplier << more, offset << more, shift + more


def _bits(values: np.ndarray) -> int:
    return max(int(v).bit_length() for v in np.abs(np.asarray(values, dtype=np.int64)).ravel())
