"""Pack weights of few bits in flash, for the layers that no specialised kernel takes."""

from __future__ import annotations

import numpy as np

from microstage_cbackend.passes.fuse import channels_of
from microstage_cbackend.program.ir import KernelCall, Part, Tensor

__all__ = ["pack_weights"]

_PACKED = ("ms_linear", "ms_conv2d")
_WORTH = 128
"Weights below which packing saves less flash than its code takes."


def pack_weights(part: Part) -> None:
    """Pack weights of 1 (-1 and +1), 2 or 4 bits into rows of whole bytes, the first in the lowest bits; 3 lie in 4."""
    for layer in part.layers:
        if layer.kernel in _PACKED and layer.inputs[1].size >= _WORTH:
            bits = _bits(layer.weights)
            if bits < 8:
                _pack(layer, bits)


def _bits(weights: np.ndarray) -> int:
    if np.all(np.abs(weights) == 1):
        return 1
    low, high = int(weights.min()), int(weights.max())
    return next((b for b in (2, 4) if -(2 ** (b - 1)) <= low and high < 2 ** (b - 1)), 8)


def _pack(layer: KernelCall, bits: int) -> None:
    w = layer.inputs[1]
    rows = w.integers.reshape(channels_of(layer), -1)
    fields = (rows > 0).astype(np.int64) if bits == 1 else rows & ((1 << bits) - 1)
    each = 8 // bits
    padded = np.zeros((len(rows), -(-rows.shape[1] // each) * each), np.int64)
    padded[:, : rows.shape[1]] = fields
    data = (padded.reshape(len(rows), -1, each) << (np.arange(each) * bits)).sum(axis=2)
    layer.inputs[1] = Tensor(w.name, data.shape, 0, 255, data, declared="uint8_t")
    layer.kernel, layer.packed_bits, layer.scratch = f"{layer.kernel}_packed", bits, rows.shape[1]
    layer.remark += f"; weights of {bits} bit{'s' * (bits > 1)}"
