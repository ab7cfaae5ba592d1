"""Lay weights and lines out for Armv7E-M and Armv8-M with DSP, where filters share a word (ms_small_dot_dsp.h).

filters_together   how many filters the kernel takes at once, the `together` of a shape; largest_sum: what allows it
pack_small_pairs   weights
small_pairs_q      biases and multipliers
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

__all__ = ["filters_together", "largest_sum", "pack_small_pairs", "pairs_depth", "small_pairs_q"]


def filters_together(weights: np.ndarray, shape: Mapping[str, int], reach: int) -> int:
    """Return how many filters of `weights` [filters, used] are taken at once where no sum with its bias is beyond
    `reach`: 4 of a dense layer, 2, or 1 where packed pairs would not be exact.
    """
    dense = shape["out_height"] * shape["out_width"] == 1
    for together in (4, 2) if dense else (2,):
        if reach <= largest_sum({**shape, "together": together}) and _fits_halves(weights, shape["bits"]):
            return together
    return 1


def largest_sum(shape: Mapping[str, int]) -> int:
    """Return what no sum with its bias may exceed, on either side, for the word that the filters share."""
    bits, together = shape["bits"], shape["together"]
    if together == 1:
        return (1 << 31) - 1
    return (1 << (19 if together == 4 and bits < 8 else 31 - bits)) - 1


def _fits_halves(weights: np.ndarray, bits: int) -> bool:
    """Tell whether w0 + 256 * w1 of each pair of filters is an int16: only -128 beside a negative weight is not."""
    rows = np.pad(weights.astype(np.int64), ((0, len(weights) % 2), (0, 0)))
    return bits < 8 or bool(np.all(rows[::2] + 256 * rows[1::2] >= -(1 << 15)))


def _runs(shape: Mapping[str, int]) -> tuple[int, int]:
    """Return how many runs of bytes a patch has, and how long they are."""
    taps = shape["kernel_w"] if shape["dilation_w"] == 1 else 1
    return shape["planes"] * shape["kernel_h"] * shape["kernel_w"] // taps, taps * shape["channels"]


def _is_triples(shape: Mapping[str, int]) -> bool:
    """Tell whether a patch is nine runs of three bytes, laid as ms_small_triples_dsp.h says."""
    kernel = (shape["kernel_h"], shape["kernel_w"], shape["dilation_w"])
    return kernel == (3, 3, 1) and shape["planes"] * shape["channels"] == 3


def _triples(weights: np.ndarray) -> np.ndarray:
    """Return [filters, 28] of [filters, 27]: the ends of each run in a word, then the middles of two, in fours."""
    runs = np.pad(weights.reshape(-1, 9, 3), ((0, 0), (0, 1), (0, 0)))
    words = np.concatenate([runs[:, :9, ::2], runs[:, :, 1].reshape(-1, 5, 2)], axis=1)
    return words.reshape(-1, 7, 2, 2).swapaxes(2, 3).reshape(-1, 28)


def pairs_depth(shape: Mapping[str, int]) -> int:
    """Count the weights of a row, each run filled up to whole words, the row to whole steps of the kernel."""
    runs, length = _runs(shape)
    step = 16 if shape["bits"] == 1 else 8
    used = 28 if _is_triples(shape) else runs * -(-length // 4) * 4
    return -(-used // step) * step


def _rows(weights: np.ndarray, shape: Mapping[str, int]) -> np.ndarray:
    """Return [filters, pairs_depth]: zeros behind each run and each row, and filters of zeros for whole blocks."""
    runs, length = _runs(shape)
    filled = np.pad(weights.reshape(len(weights), runs, length), ((0, 0), (0, 0), (0, -length % 4)))
    laid = _triples(weights) if _is_triples(shape) else filled.reshape(len(weights), -1)
    rows = laid.astype(np.int64)
    return np.pad(rows, ((0, -len(rows) % shape["together"]), (0, pairs_depth(shape) - rows.shape[1])))


def pack_small_pairs(weights: np.ndarray, shape: Mapping[str, int]) -> np.ndarray:
    """Pack int8 [filters, used] into the int32 words that the DSP forms of ms_small_conv read.

    One filter at a time lies in rows of bytes, whatever its bits. Of two or four, a halfword holds a weight of each,
    and a word two such halfwords: a step. Of 8 bits a halfword is w0 + 256 * w1, the words of two pairs in turns; of
    four filters of 4 bits it is u0 + 16 * u1 + 256 * u2 + 4096 * w3 with u = w + 8. Fields u = w + half of two filters
    lie side by side, those of four in every fourth bit, the steps of a word one above another; of one bit u is 1 for
    +1, and the word turned by a bit so that it counts twice.
    """
    bits, together = shape["bits"], shape["together"]
    rows = _rows(weights, shape)
    if together == 1:
        return np.ascontiguousarray(rows.astype(np.int8)).view("<i4").ravel().astype(np.int32)
    # of four weights that lie together a step has 0 and 2, the next one 1 and 3
    fours = rows.reshape(-1, together, rows.shape[1] // 4, 2, 2).swapaxes(-1, -2)
    steps = fours.reshape(-1, together, rows.shape[1] // 2, 2)
    if bits == 8:
        words = _halves(steps[:, ::2] + 256 * steps[:, 1::2])
        return _signed(words.swapaxes(1, 2))
    fields = (steps > 0).astype(np.int64) if bits == 1 else steps + (1 << (bits - 1))
    if together == bits == 4:
        fields[:, 3] = steps[:, 3]
    apart = 4 if together == 4 else bits  # bits from a filter to the next one
    each = 16 // (together * bits)  # steps of a word
    halves = (fields << (apart * np.arange(together)[:, None, None])).sum(axis=1).reshape(len(fields), -1, each, 2)
    words = _halves((halves << (bits * (1 if together == 4 else 2) * np.arange(each)[:, None])).sum(axis=2))
    return _signed((words << 1 | words >> 31) & 0xFFFFFFFF if bits == 1 else words)


def _halves(pairs: np.ndarray) -> np.ndarray:
    return (pairs[..., 0] & 0xFFFF) | (pairs[..., 1] & 0xFFFF) << 16


def _signed(words: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(words).astype(np.uint32).view(np.int32).ravel()


def small_pairs_q(q: np.ndarray, shape: Mapping[str, int], fine: bool = False) -> np.ndarray:
    """Lay int32 [filters, 2], bias and multiplier, out as the DSP forms read them, modulo 2^32.

    A block has the biases that its packed sums begin with, then its multipliers; of fine lines the biases themselves,
    of two filters the second one first.
    """
    bits, together = shape["bits"], shape["together"]
    filled = np.pad(q.astype(np.int64), ((0, -len(q) % together), (0, 0))).reshape(-1, together, 2)
    biases = filled[:, :, 0].copy()
    if fine:
        biases = biases[:, ::-1] if together == 2 else biases
    elif together == 4 and bits < 8:
        biases = (biases << (4 * np.arange(4))).cumsum(axis=1)
    elif together > 1:
        biases[:, 1::2] = biases[:, ::2] + (biases[:, 1::2] << bits)
    return _signed(np.concatenate([biases, filled[:, :, 1]], axis=1) & 0xFFFFFFFF).reshape(-1, 2)
