"""The kernels' C and the layouts that they read.

    KernelSet     plain loops over x_t, w_t, acc_t and y_t; one is made per combination of types used
    fast_files    the specialised kernels, headers that kernels/README.md describes
    pack_*        constants in the order in which those kernels read them
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from microstage_cbackend.ir import Layer

__all__ = [
    "KernelSet",
    "fast_files",
    "offset_for_signed",
    "pack_bits",
    "pack_blocks",
    "pack_depthwise",
    "pack_depthwise_blocks",
    "pack_rows",
    "pack_signs",
    "pack_thresholds",
    "row_depth",
    "sign_words",
    "wide_shift",
]

_FOLDER = Path(__file__).parent / "kernels"
_SHORT = {"int8_t": "i8", "uint8_t": "u8", "int16_t": "i16", "uint16_t": "u16", "int32_t": "i32", "int64_t": "i64"}


class KernelSet:
    """The kernels that a model needs: `of(layer)` gives the function's name, `files()` the C that defines all of them."""

    def __init__(self) -> None:
        self._sources: dict[str, str] = {}

    def of(self, layer: Layer) -> str:
        """Name of the function for `layer`: ms_<operator>_<x>_<w>[_a<accumulator>]_<y>."""
        types = {"x_t": layer.inputs[0].ctype}
        if len(layer.inputs) > 1:
            types["w_t"] = layer.inputs[1].ctype
        if layer.accumulator:
            types["acc_t"] = layer.accumulator
        return self._add(layer.kernel, types | {"y_t": layer.output.ctype})

    def within(self, ctype: str) -> str:
        """Name of the range check for values of `ctype`."""
        return self._add("ms_within", {"x_t": ctype})

    def files(self) -> dict[str, str]:
        """File name -> C text: one file per kernel, `ms_kernels.h` with their prototypes, `ms_shapes.h`."""
        found = {f"{name}.c": text for name, text in sorted(self._sources.items())}
        prototypes = [re.search(r"^\w+ ms_[^{]*", text, re.MULTILINE)[0].strip() + ";" for text in found.values()]
        guard = ["/* Prototypes of the kernels of this folder; each is described at the top of its file. */"]
        guard += ["#ifndef MS_KERNELS_H", "#define MS_KERNELS_H", "", '#include "ms_shapes.h"', ""]
        found["ms_kernels.h"] = "\n".join([*guard, *prototypes, "", "#endif", ""])
        found["ms_shapes.h"] = (_FOLDER / "ms_shapes.h").read_text()
        return found

    def _add(self, kernel: str, types: dict[str, str]) -> str:
        parts = [("a" if token == "acc_t" else "") + _SHORT[ctype] for token, ctype in types.items()]
        name = "_".join([kernel, *parts])
        if name not in self._sources:
            text = (_FOLDER / f"{kernel}.c").read_text()
            for token, ctype in types.items():
                text = re.sub(rf"\b{token}\b", ctype, text)
            self._sources[name] = re.sub(rf"\b{kernel}\b", name, text)
        return name


def fast_files(*headers: str) -> dict[str, str]:
    """File name -> C text of the fast kernels' `headers` and of all that they include, e.g. fast_files("ms_conv_u8.h")."""
    found: dict[str, str] = {}
    waiting = list(headers)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = (_FOLDER / name).read_text()
            waiting += re.findall(r'^#include "(\w+\.h)"', found[name], re.MULTILINE)
    return dict(sorted(found.items()))


def row_depth(used: int) -> int:
    """Bytes of a row of `used` weights in pack_rows, the `depth` of ms_conv_u8_shape: whole vectors for compilers."""
    step = 16 if used <= 16 else 32
    return -(-used // step) * step


def pack_rows(weights: np.ndarray) -> np.ndarray:
    """int8 [filters, runs, length] -> [filters, row_depth(runs * length)], zeros at the end: ms_conv_u8 where MS_BLOCKED is 0."""
    flat = weights.reshape(weights.shape[0], -1)
    return np.pad(flat, ((0, 0), (0, row_depth(flat.shape[1]) - flat.shape[1]))).astype(np.int8)


def pack_blocks(weights: np.ndarray) -> np.ndarray:
    """int8 [filters, runs, length] -> [filters / 16][runs][length / 4][16 filters][4 inputs], zero-filled: MS_BLOCKED 1."""
    filters, runs, length = weights.shape
    padded = np.pad(weights, ((0, -filters % 16), (0, 0), (0, -length % 4)))
    blocks = padded.reshape(-1, 16, runs, padded.shape[2] // 4, 4)
    return np.ascontiguousarray(blocks.transpose(0, 2, 3, 1, 4)).astype(np.int8)


def pack_depthwise(weights: np.ndarray) -> np.ndarray:
    """int8 [channels, kernel_h, kernel_w] -> [kernel_h][kernel_w][channels]: ms_depthwise_u8 where MS_DEPTHWISE_BLOCKED is 0."""
    return np.ascontiguousarray(weights.transpose(1, 2, 0)).astype(np.int8)


def pack_depthwise_blocks(weights: np.ndarray) -> np.ndarray:
    """int8 [channels, kernel_h, kernel_w] -> [channels / 64][kernel_h / 4][kernel_w][256 bytes]: MS_DEPTHWISE_BLOCKED 1.

    Byte 64 * v + 16 * q + 4 * c + i is row i of lane 16 * q + 4 * v + c; 8, 16 or 32 channels repeat through the 64 lanes.
    """
    channels, height, width = weights.shape
    repeats = 64 // channels if channels in (8, 16, 32) else 1
    lanes = np.tile(weights, (repeats, 1, 1))
    lanes = np.pad(lanes, ((0, -len(lanes) % 64), (0, -height % 4), (0, 0)))
    parts = lanes.reshape(-1, 4, 4, 4, lanes.shape[1] // 4, 4, width)  # block, q, v, c, row group, i, column
    return np.ascontiguousarray(parts.transpose(0, 4, 6, 2, 1, 3, 5)).astype(np.int8)


def pack_bits(weights: np.ndarray, bits: int) -> np.ndarray:
    """Integers of 2, 3 or 4 `bits`, signed -> bytes, lowest bits first, whole groups of 8 weights: ms_unpack."""
    flat = np.pad(np.asarray(weights, dtype=np.int64).ravel(), (0, -weights.size % 8))
    fields = (flat[:, None] >> np.arange(bits)) & 1
    return np.packbits(fields.astype(np.uint8).ravel(), bitorder="little")


def sign_words(values: np.ndarray) -> np.ndarray:
    """-1 and +1 [..., n] -> uint64 [..., ceil(n / 64)], bit 1 for +1, value k at bit k of its word; unused bits 0."""
    positive = np.pad(values > 0, [(0, 0)] * (values.ndim - 1) + [(0, -values.shape[-1] % 64)])
    return np.packbits(positive, axis=-1, bitorder="little").view("<u8").astype(np.uint64)


def pack_signs(weights: np.ndarray) -> np.ndarray:
    """-1 and +1 [filters, positions, channels] -> uint64 [filters / 8][words of a patch][8 filters]: ms_xnor."""
    words = sign_words(weights).reshape(weights.shape[0], -1)
    padded = np.pad(words, ((0, -len(words) % 8), (0, 0)))
    return np.ascontiguousarray(padded.reshape(-1, 8, words.shape[1]).transpose(0, 2, 1))


def pack_thresholds(thresholds: np.ndarray) -> np.ndarray:
    """[channels, levels] -> int32 [levels][channels]: ms_count_thresholds."""
    return np.ascontiguousarray(thresholds.T).astype(np.int32)


def offset_for_signed(weights: np.ndarray, multiplier: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """Offsets [filters] for activations that are signed and stored plus 128; weights [filters, ...].

    sum (x + 128) w * m + offset' = sum x w * m + offset.
    """
    sums = weights.reshape(len(weights), -1).astype(np.int64).sum(axis=1)
    return offset - 128 * sums * multiplier.astype(np.int64)


def wide_shift(multiplier: np.ndarray, offset: np.ndarray, shift: int) -> tuple[np.ndarray, np.ndarray, int]:
    """The same affine function with a shift of at least 32, which the vector kernels want, where 32-bit multipliers and 62-bit offsets allow."""
    room = min(30 - _bits(multiplier), 60 - _bits(offset))
    more = min(max(0, 32 - shift), max(0, room))
    return multiplier << more, offset << more, shift + more


def _bits(values: np.ndarray) -> int:
    return max(int(v).bit_length() for v in np.abs(np.asarray(values, dtype=np.int64)).ravel())
