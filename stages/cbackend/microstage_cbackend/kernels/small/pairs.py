"""Lay weights and lines out for Armv7E-M and Armv8-M with DSP, where two filters share a word (ms_small_dot_dsp.h).

pack_small_pairs   weights
small_pairs_q      biases and multipliers
fits_pairs         whether a halfword holds every pair of 8-bit weights
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

__all__ = ["fits_pairs", "pack_small_pairs", "pairs_depth", "small_pairs_q"]

_DENSE = 4
"Filters that a dense layer of 8 bits takes at once: two pairs, word by word in turns."


def _runs(shape: Mapping[str, int]) -> tuple[int, int]:
    """Return how many runs of bytes a patch has, and how long they are."""
    taps = shape["kernel_w"] if shape["dilation_w"] == 1 else 1
    return shape["planes"] * shape["kernel_h"] * shape["kernel_w"] // taps, taps * shape["channels"]


def pairs_depth(shape: Mapping[str, int]) -> int:
    """Count the weights of a row, each run filled up to whole words, the row to whole steps of the kernel."""
    runs, length = _runs(shape)
    step = 16 if shape["bits"] == 1 else 8
    return -(-runs * -(-length // 4) * 4 // step) * step


def _block(shape: Mapping[str, int]) -> int:
    dense = shape["bits"] == 8 and shape["out_height"] * shape["out_width"] == 1
    return _DENSE if dense else 2


def _steps(weights: np.ndarray, shape: Mapping[str, int]) -> np.ndarray:
    """Return [pairs, 2, steps, 2]: two weights of each filter a step; of four that lie together 0 and 2, 1 and 3."""
    runs, length = _runs(shape)
    filled = np.pad(weights.reshape(len(weights), runs, length), ((0, 0), (0, 0), (0, -length % 4)))
    rows = filled.reshape(len(weights), -1).astype(np.int64)
    rows = np.pad(rows, ((0, -len(rows) % _block(shape)), (0, pairs_depth(shape) - rows.shape[1])))
    return rows.reshape(len(rows) // 2, 2, -1, 2, 2).swapaxes(-1, -2).reshape(len(rows) // 2, 2, -1, 2)


def fits_pairs(weights: np.ndarray, shape: Mapping[str, int]) -> bool:
    """Tell whether w0 + 256 * w1 of each pair of filters is an int16: only -128 beside a negative weight is not."""
    if shape["bits"] < 8:
        return True
    steps = _steps(weights, shape)
    return int((steps[:, 0] + 256 * steps[:, 1]).min()) >= -(1 << 15)


def pack_small_pairs(weights: np.ndarray, shape: Mapping[str, int]) -> np.ndarray:
    """Pack int8 [filters, used] into the int32 words that the DSP forms of ms_small_conv read.

    Of 8 bits a halfword is w0 + 256 * w1 of two filters. Of fewer, fields u = w + half of both lie side by side, the
    steps of a word one above another; of one bit u is 1 for +1, and the word turned by a bit so that it counts twice.
    """
    steps, bits = _steps(weights, shape), shape["bits"]
    if bits == 8:
        pairs = steps[:, 0] + 256 * steps[:, 1]
        if not fits_pairs(weights, shape):
            raise ValueError("A pair of weights leaves 16 bits.")
        words = _halves(pairs)
        turns = words.reshape(len(words) // (_block(shape) // 2), _block(shape) // 2, -1)
        return _signed(turns.swapaxes(1, 2))
    fields = (steps > 0).astype(np.int64) if bits == 1 else steps + (1 << (bits - 1))
    pairs = fields[:, 0] + (fields[:, 1] << bits)
    each = 16 // (2 * bits)  # steps of a word
    places = 2 * bits * np.arange(each)
    words = _halves((pairs.reshape(len(pairs), -1, each, 2) << places[:, None]).sum(axis=2))
    return _signed((words << 1 | words >> 31) & 0xFFFFFFFF if bits == 1 else words)


def _halves(pairs: np.ndarray) -> np.ndarray:
    return (pairs[..., 0] & 0xFFFF) | (pairs[..., 1] & 0xFFFF) << 16


def _signed(words: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(words).astype(np.uint32).view(np.int32).ravel()


def small_pairs_q(q: np.ndarray, shape: Mapping[str, int]) -> np.ndarray:
    """Lay int32 [filters, 2], bias and multiplier, out as the DSP forms read them, modulo 2^32.

    A block has the biases b0, b0 + 2^bits * b1 of its pairs, then its multipliers.
    """
    block = _block(shape)
    filled = np.pad(q.astype(np.int64), ((0, -len(q) % block), (0, 0))).reshape(-1, block // 2, 2, 2)
    biases = np.stack([filled[:, :, 0, 0], filled[:, :, 0, 0] + (filled[:, :, 1, 0] << shape["bits"])], axis=-1)
    both = np.concatenate([biases.reshape(len(filled), -1), filled[..., 1].reshape(len(filled), -1)], axis=1)
    return _signed(both & 0xFFFFFFFF).reshape(-1, 2)
