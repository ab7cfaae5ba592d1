"""Draw cases for the kernels of small machines, as small_driver.c reads them, and what NumPy says of each."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np

from microstage_cbackend.kernels.layouts import pack_signs, sign_words
from microstage_cbackend.kernels.small.layouts import pack_small_signs
from microstage_cbackend.kernels.small.sizes import depthwise_scratch, xnor_scratch
from microstage_cbackend.program.small_line import FINE, FINE_SHIFTS, SmallLine

__all__ = ["Case", "add_case", "average_case", "case_file", "depthwise_case", "xnor_case"]

SHAPE = (
    "planes height width channels out_height out_width filters kernel_h kernel_w stride_h stride_w dilation_h "
    "dilation_w pad_top pad_left pad_value flip bits depth together"
).split()


@dataclass
class Case:
    """One call: the driver's integers, its buffers (x, y before, constants), y after."""

    integers: list[int]
    buffers: list[np.ndarray]
    expected: np.ndarray

    def bytes(self) -> bytes:
        parts = [struct.pack("<40i", *self.integers)]
        for values in [*self.buffers, *[np.zeros(0, np.uint8)] * (8 - len(self.buffers))]:
            parts += [struct.pack("<ii", values.itemsize, values.size), np.ascontiguousarray(values).tobytes()]
        return b"".join(parts)


def case_file(cases: list[Case]) -> bytes:
    return struct.pack("<i", len(cases)) + b"".join(case.bytes() for case in cases)


def extreme(random, low: int, high: int, shape) -> np.ndarray:
    """Draw from low...high, or from its ends alone."""
    ends = [[low], [high], [low, high], np.arange(low, high + 1), np.arange(low, high + 1)]
    return random.choice(ends[random.integers(0, 5)], shape).astype(np.int64)


def windows(x: np.ndarray, s: dict[str, int]) -> np.ndarray:
    """Return [out_height, out_width, kernel_h, kernel_w, channels] of x [height, width, channels] with its borders."""
    span_h = (s["out_height"] - 1) * s["stride_h"] + (s["kernel_h"] - 1) * s["dilation_h"] + 1
    span_w = (s["out_width"] - 1) * s["stride_w"] + (s["kernel_w"] - 1) * s["dilation_w"] + 1
    below, right = max(0, span_h - s["pad_top"] - len(x)), max(0, span_w - s["pad_left"] - x.shape[1])
    pads = ((s["pad_top"], below), (s["pad_left"], right), (0, 0))
    framed = np.pad(x, pads, constant_values=s["pad_value"])
    h = np.arange(s["out_height"])[:, None] * s["stride_h"] + np.arange(s["kernel_h"]) * s["dilation_h"]
    v = np.arange(s["out_width"])[:, None] * s["stride_w"] + np.arange(s["kernel_w"]) * s["dilation_w"]
    return framed[h[:, None, :, None], v[None, :, None, :]]


def depthwise_shape(random, most: int = 13) -> dict[str, int]:
    """Draw a shape, 3 x 3 more often than others."""
    usual = random.integers(0, 3) > 0
    kernel = (3, 3) if usual else tuple(random.integers(1, 6, 2))
    stride = tuple(random.integers(1, 3, 2)) if usual else tuple(random.integers(1, 4, 2))
    dilation = (1, 1) if usual else tuple(random.integers(1, 3, 2))
    span = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    top, left = (int(random.integers(0, min(n, 4))) for n in span)
    height, width = (int(v) for v in random.integers(1, most, 2))
    seen = zip((height + top, width + left), stride, strict=True)
    out = [int(random.integers(1, length // step + 2)) for length, step in seen]
    channels = int(random.choice([1, 2, 3, 4, 5, 6, 7, 8, 12, 17]))
    values = [1, height, width, channels, *out, channels, *kernel, *stride, *dilation, top, left]
    values += [int(random.integers(0, 256)), int(random.choice([0, 0, 128])), 8, kernel[0] * kernel[1], 0]
    return dict(zip(SHAPE, map(int, values), strict=True))


def line_of(random, sums: np.ndarray) -> tuple[np.ndarray, list[int]]:
    """Draw q [filters, 2] and a fine line, straight or bent, that maps sums [..., filters] to about -50...300."""
    reach = int(np.abs(sums).max()) * (1 << FINE) + 1
    shift = int(random.choice(FINE_SHIFTS))
    bias = random.integers(-reach, reach + 1, sums.shape[-1])
    most = min(2**31 - 1, (350 << (shift + 32)) // (4 * reach))
    multiplier = random.integers(most // 4, most + 1, sums.shape[-1])
    low, high = sorted(int(v) for v in random.integers(0, 256, 2)) if random.integers(0, 3) == 0 else (0, 255)
    edge = int(random.choice([0, int(random.integers(1, 256)) << shift, int(random.integers(0, 2**30))]))
    line = [int(random.integers(0, 200)) << shift, shift, low, high, int(random.choice([0, 0, 128])), FINE, edge]
    return np.stack([bias, multiplier], 1).astype(np.int32), line


def level(sums: np.ndarray, q: np.ndarray, line: list[int]) -> np.ndarray:
    """Return what ms_line stores."""
    offset, shift, low, high, flip, fine, edge = line
    stage = SmallLine(*q.astype(np.int64).T, offset, shift, low, high, flip, fine, edge)
    return stage.apply(sums, np.broadcast_to(np.arange(len(q)), sums.shape)).astype(np.uint8)


def requant_of(random, sums: np.ndarray, channels: int) -> tuple[list[np.ndarray], list[int], np.ndarray]:
    """Draw an ms_requant of `channels` entries: its arrays, its integers (shift, low, high, flip, even, zero), what it
    stores for sums [..., channels]."""
    reach = int(np.abs(sums).max()) + 1
    shift, even = int(random.choice([32, 32, *random.integers(16, 45, 2)])), int(random.integers(0, 3) == 0)
    most = max(2, min(2**31 - 1, (350 << shift) // (2 * reach)))
    multiplier = random.integers(most // 2, most, channels)
    if even:
        multiplier = np.full(channels, 1 << (most.bit_length() - 1))
    multiplier = multiplier * random.choice([1, 1, -1], channels)
    offset = int(random.integers(0, 200)) * (1 << shift) + (1 << (shift - 1)) + np.zeros(channels, np.int64)
    if not even:
        offset = offset + random.integers(0, 1 << (shift - 1), channels)
    kink = random.integers(0, 2 << shift, channels if not even and random.integers(0, 3) == 0 else 0)
    edge, zero = int(random.integers(0, 256)) << shift, int(random.integers(0, 2))
    low, high, flip = int(random.integers(0, 9)), int(random.integers(200, 256)), int(random.choice([0, 128]))
    value = sums * multiplier + offset
    if kink.size:
        value = value - np.where(value < edge, kink, 0)
    y = value >> shift
    if even:
        y = y - (((value & ((1 << shift) - 1)) == 0) & ((y ^ zero) & 1))
    arrays = [multiplier.astype(np.int32), offset, kink.astype(np.int64), np.array([edge], np.int64)]
    return arrays, [shift, low, high, flip, even, zero], np.clip(y, low, high).astype(np.uint8) ^ np.uint8(flip)


def in_place(s: dict[str, int]) -> bool:
    """Tell whether y may be x: no row is written before it has been read."""
    if s["out_height"] * s["out_width"] > s["height"] * s["width"]:
        return False
    span = (s["kernel_h"] - 1) * s["dilation_h"] + 1
    for done in range(1, s["out_height"]):
        unread = max((done - 1) * s["stride_h"] + span, done * s["stride_h"]) - s["pad_top"]
        if unread < s["height"] and done * s["out_width"] > max(0, unread) * s["width"]:
            return False
    return True


def depthwise_case(random, requant: bool, s: dict[str, int] | None = None) -> Case:
    s = s or depthwise_shape(random)
    x = extreme(random, 0, 255, (s["height"], s["width"], s["channels"]))
    w = extreme(random, -128, 127, (s["channels"], s["kernel_h"], s["kernel_w"]))
    sums = np.einsum("abijc,cij->abc", windows(x, s), w)
    stored = (x.astype(np.uint8) ^ np.uint8(s["flip"])).ravel()
    same = int(in_place(s) and random.integers(0, 2))
    y = stored[: sums.size].copy() if same else np.full(sums.size, 0xEE, np.uint8)
    shape = [s[name] for name in SHAPE]
    if requant:
        arrays, numbers, expected = requant_of(random, sums, s["channels"])
        constants = [w.astype(np.int8), np.zeros(0, np.int32), *arrays]
        stage = [0, *numbers]
    else:
        q, line = line_of(random, sums)
        expected, constants, stage = level(sums, q, line), [w.astype(np.int8), q], line
    integers = [int(requant), 0, *shape, *stage, *[0] * 8, depthwise_scratch(s), int(random.integers(0, 4)), same]
    return Case(integers, [stored, y, *constants], expected)


def xnor_case(random, as_bits: bool) -> Case:
    """Draw a layer of signs by signs: of 3 x 3 words, of one piece, of dilated runs."""
    channels, filters = int(random.choice([3, 64, 64, 128, 192, 600])), int(random.integers(1, 140))
    kernel = [(3, 3), (3, 3), (1, 1), (2, 5)][random.integers(0, 4)]
    out, dilation = tuple(int(v) for v in random.integers(1, 4, 2)), int(random.integers(1, 3))
    words = -(-channels // 64)
    height, width = (n + (k - 1) * dilation for n, k in zip(out, kernel, strict=True))
    signs = random.choice([[-1, 1], [-1, 1], [1, 1]][random.integers(0, 3)], (height, width, channels))
    weights = random.choice([[-1, 1], [-1, 1], [-1, -1]][random.integers(0, 3)], (filters, *kernel, channels))
    at = [np.arange(n)[:, None] + np.arange(k) * dilation for n, k in zip(out, kernel, strict=True)]
    sums = np.einsum("abijc,fijc->abf", signs[at[0][:, None, :, None], at[1][None, :, None, :]], weights)
    bits = weights[0].size
    w = pack_small_signs(pack_signs(weights.reshape(filters, -1, channels)), filters)
    runs = [kernel[0], 1, kernel[1] * words] if dilation == 1 else [*kernel, words]
    runs = [1, 1, words] if kernel == (1, 1) else runs
    limits = np.zeros(0, np.int32)
    expected, each = sums.astype(np.int32), filters
    if as_bits:
        limits = random.integers(-1, bits + 1, filters).astype(np.int32)
        expected, each = sign_words(np.where((bits - sums) // 2 <= limits, 1, -1)), -(-filters // 64)
    sizes = [*out, filters, *runs, 0, dilation * width * words, dilation * words, width * words, words]
    integers = [2 + as_bits, bits, *sizes, out[1] * each, each]
    shape = dict(zip(("runs_h", "runs_w", "length"), runs, strict=True))
    integers += [0] * (37 - len(integers)) + [xnor_scratch(shape), 0, 0]
    return Case(integers, [sign_words(signs), np.zeros(expected.shape, expected.dtype), w, limits], expected)


def add_case(random, even: bool) -> Case:
    """Draw a residual add, in place or apart; with `even` many of its values are ties."""
    count, shift = int(random.integers(1, 300)), int(random.integers(0, 22))
    a, b = (extreme(random, 0, 255, count) for _ in range(2))
    scales = random.integers(-(1 << 21), 1 << 21, 2) >> (21 - shift)
    if even:
        scales = (scales >> max(0, shift - 1)) << max(0, shift - 1)
    offset = int(random.integers(-128, 128)) * (1 << shift) + (1 << shift) // 2
    value, zero = a * scales[0] + b * scales[1] + offset, int(random.integers(0, 4))
    level = value >> shift
    if even and shift:
        level = level - (((value & ((1 << shift) - 1)) == 0) & ((level ^ zero) & 1))
    low, high = sorted(int(v) for v in random.integers(0, 256, 2)) if random.integers(0, 2) else (0, 255)
    flip, same = int(random.choice([0, 128])), int(random.integers(0, 2))
    a, b = a.astype(np.uint8), b.astype(np.uint8)
    integers = [4, 0, count, *map(int, scales), offset, shift, low, high, int(even), zero, flip]
    integers += [0] * (37 - len(integers)) + [0, int(random.integers(0, 4)), same]
    y = a.copy() if same else np.zeros(count, np.uint8)
    return Case(integers, [a, y, b], np.clip(level, low, high).astype(np.uint8) ^ np.uint8(flip))


def average_case(random) -> Case:
    """Draw windows of sums, small ones and one over a whole image, with gaps between pixels."""
    channels, gap = int(random.choice([1, 3, 4, 6, 8, 19])), int(random.integers(0, 3))
    whole = random.integers(0, 3) == 0
    kernel = tuple(int(v) for v in random.integers(1, 30 if whole else 4, 2))
    out, stride = (
        ((1, 1), 1) if whole else (tuple(int(v) for v in random.integers(1, 4, 2)), int(random.integers(1, 3)))
    )
    height, width = ((n - 1) * stride + k for n, k in zip(out, kernel, strict=True))
    x, pixel = extreme(random, 0, 255, (height, width, channels + gap)), channels + gap
    at = [np.arange(n)[:, None] * stride + np.arange(k) for n, k in zip(out, kernel, strict=True)]
    sums = x[at[0][:, None, :, None], at[1][None, :, None, :], :channels].sum(axis=(2, 3))
    arrays, numbers, expected = requant_of(random, sums, 1)
    shape = [
        *out,
        channels,
        *kernel,
        width * pixel,
        pixel,
        stride * width * pixel,
        stride * pixel,
        out[1] * channels,
        channels,
    ]
    integers = [5, 0, *shape] + [0] * 9 + [0, *numbers]
    integers += [0] * (37 - len(integers)) + [0, int(random.integers(0, 4)), 0]
    y, none = np.zeros(expected.size, np.uint8), np.zeros(0, np.int32)
    return Case(integers, [x.astype(np.uint8), y, none, none, *arrays], expected)
