"""A NumPy interpreter of the integer program: what each kernel means, apart from how it is written in C.

`run` is exact in int64 and raises where a value leaves the range or the accumulator that was proven for it, so that every
pass can be compared with the program before it, and every proof with what happens.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod

import numpy as np

from microstage.integer import gemmlowp
from microstage_cbackend.program.ir import KernelCall, Part, Tensor, type_range
from microstage_cbackend.program.stages import Raw
from microstage_cbackend.specialised_kernels import sign_words

__all__ = ["run", "walk"]

_KERNELS: dict[str, Callable[[KernelCall, list[np.ndarray], np.ndarray], np.ndarray | None]] = {}


def run(part: Part, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Outputs by name, int64 in the shapes of `part.outputs`; `inputs` by name. AssertionError where a proof does not hold."""
    memory: dict[int, np.ndarray] = {}
    for tensor in part.inputs:
        memory[id(tensor)] = np.asarray(inputs[tensor.name], np.int64).ravel()
        _check(tensor, memory[id(tensor)])
    for layer in part.layers:
        operands = [_read(memory, t) for t in layer.inputs]
        root = layer.output.root
        held = memory.setdefault(id(root), np.full(root.size, root.low))
        result = _KERNELS[layer.kernel](layer, operands, held)
        if result is not None and layer.output.base is not None:
            held[layer.output.places.ravel()] = result.ravel()
        elif result is not None:
            result = np.asarray(result, np.int64).ravel()
            memory[id(root)] = np.concatenate([result, np.full(root.size - result.size, root.low)])
        _check(root, memory[id(root)])
    return {name: memory[id(t.root)].reshape(t.shape) for name, t in zip(part.output_names, part.outputs)}


def _read(memory: dict[int, np.ndarray], tensor: Tensor) -> np.ndarray:
    if tensor.data is not None:
        return np.asarray(tensor.data, np.int64).ravel() if tensor.data.dtype != np.uint64 else tensor.data.ravel()
    return memory[id(tensor.root)][tensor.start :]


def _check(tensor: Tensor, values: np.ndarray) -> None:
    if tensor.ctype == "uint64_t":
        return
    assert values.size == tensor.size and tensor.low <= values.min() and values.max() <= tensor.high, (
        f"{tensor.name} leaves its range"
    )
    low, high = type_range(tensor.ctype)
    assert low <= tensor.low and tensor.high <= high, f"{tensor.name} leaves {tensor.ctype}"


def kernel(*names: str) -> Callable:
    def register(function: Callable) -> Callable:
        _KERNELS.update(dict.fromkeys(names, function))
        return function

    return register


def _finish(layer: KernelCall, sums: np.ndarray, channels: np.ndarray) -> np.ndarray:
    """The stage of `sums` [..., channels], after the bias."""
    if layer.bias is not None:
        sums = sums + layer.bias.data
    low, high = type_range(layer.accumulator)
    assert low <= sums.min(initial=0) and sums.max(initial=0) <= high, f"{layer.node}: a sum leaves {layer.accumulator}"
    channels = np.broadcast_to(channels, sums.shape)
    if not isinstance(layer.stage, Raw):
        low, high = (end[channels] if end.size > 1 else end for end in layer.reach)
        assert np.all((low <= sums) & (sums <= high)), (
            f"{layer.node}: a sum leaves the range that its stage is proven for"
        )
    return layer.stage.apply(sums, channels)


@kernel("ms_linear", "ms_linear_packed")
def linear(layer: KernelCall, operands, held):
    x, w = operands
    s = layer.shape
    weights = (w if layer.kernel == "ms_linear" else _expand(layer, s["depth"])).reshape(s["columns"], s["depth"])
    rows = x[: s["rows"] * s["depth"]].reshape(s["rows"], s["depth"])
    return _finish(layer, rows @ weights.T, np.arange(s["columns"]))


def _expand(layer: KernelCall, depth: int) -> np.ndarray:
    """Rows of packed weights as integers."""
    packed, bits = layer.inputs[1].data.reshape(-1, (depth * layer.extra + 7) // 8).astype(np.int64), layer.extra
    fields = packed[:, :, None] >> (np.arange(8 // bits) * bits) & ((1 << bits) - 1)
    values = 2 * fields - 1 if bits == 1 else (fields ^ (1 << (bits - 1))) - (1 << (bits - 1))
    return values.reshape(len(packed), -1)[:, :depth]


def _patches(x: np.ndarray, s: dict, channels: int, outside: int) -> np.ndarray:
    """[out_height, out_width, kernel_h, kernel_w, channels] of x [height][width][channels]."""
    image = x[: s["height"] * s["width"] * channels].reshape(s["height"], s["width"], channels)
    rows = (
        np.arange(s["out_height"])[:, None] * s["stride_h"]
        + np.arange(s["kernel_h"]) * s.get("dilation_h", 1)
        - s["pad_top"]
    )
    columns = (
        np.arange(s["out_width"])[:, None] * s["stride_w"]
        + np.arange(s["kernel_w"]) * s.get("dilation_w", 1)
        - s["pad_left"]
    )
    inside = ((rows >= 0) & (rows < s["height"]))[:, None, :, None] & ((columns >= 0) & (columns < s["width"]))[
        None, :, None, :
    ]
    found = image[
        np.clip(rows, 0, s["height"] - 1)[:, None, :, None], np.clip(columns, 0, s["width"] - 1)[None, :, None, :]
    ]
    return np.where(inside[..., None], found, outside)


@kernel("ms_conv2d", "ms_conv2d_packed", "ms_depthwise")
def conv2d(layer: KernelCall, operands, held):
    x, w = operands
    s, groups = layer.shape, layer.shape["groups"]
    depth, taps = s["channels"] // groups, s["kernel_h"] * s["kernel_w"]
    if layer.kernel == "ms_conv2d_packed":
        w = _expand(layer, taps * depth)
    elif layer.kernel == "ms_depthwise":
        w = w.reshape(taps, s["channels"]).T
    seen = _patches(x, s, s["channels"], s["pad_value"]).reshape(s["out_height"], s["out_width"], taps, groups, depth)
    weights = w.reshape(groups, s["filters"] // groups, taps, depth)
    return _finish(
        layer,
        np.einsum("hwtgd,gftd->hwgf", seen, weights).reshape(s["out_height"], s["out_width"], -1),
        np.arange(s["filters"]),
    )


@kernel("ms_im2col")
def im2col(layer: KernelCall, operands, held):
    s = layer.shape
    return _patches(operands[0], s, s["channels"], s["pad_value"])


@kernel("ms_max_pool", "ms_sum_pool", "ms_or_pool")
def pool(layer: KernelCall, operands, held):
    s = layer.shape
    images = operands[0][: s["outer"] * s["height"] * s["width"] * s["inner"]].reshape(s["outer"], -1)
    if layer.kernel == "ms_or_pool":
        return np.stack([np.bitwise_or.reduce(_patches(i, s, s["inner"], 0), axis=(2, 3)) for i in images])
    if layer.kernel == "ms_max_pool":
        return np.stack([_patches(i, s, s["inner"], -(2**62)).max(axis=(2, 3)) for i in images])
    sums = np.stack([_patches(i, s, s["inner"], 0).sum(axis=(2, 3)) for i in images])
    return _finish(layer, sums, np.zeros(1, np.int64))


def walk(s: dict, steps: str) -> np.ndarray:
    """Places, from the start, that four nested loops of s["size"] visit with s[steps]."""
    return sum(np.arange(n).reshape([-1] + [1] * (3 - a)) * d for a, (n, d) in enumerate(zip(s["size"], s[steps])))


@kernel("ms_add", "ms_mul", "ms_blend")
def pair(layer: KernelCall, operands, held):
    s = layer.shape
    x, w = operands[0][walk(s, "x_step")], operands[1][walk(s, "w_step")]
    if layer.kernel == "ms_mul":
        return x * w
    if layer.kernel == "ms_add":
        return x + w
    return _finish(layer, x * s["x_multiplier"] + w * s["w_multiplier"], np.zeros(1, np.int64))


@kernel("ms_copy")
def copy(layer: KernelCall, operands, held):
    s = layer.shape
    held[s["y_start"] + walk(s, "y_step")] = operands[0][s["x_start"] + walk(s, "x_step")]


@kernel("ms_gather")
def gather(layer: KernelCall, operands, held):
    return operands[0][operands[1]]


@kernel("ms_stage")
def stage(layer: KernelCall, operands, held):
    s = layer.shape
    x = operands[0][: prod(s.values())].reshape(s["outer"], s["channels"], s["inner"])
    return _finish(layer, x, np.arange(s["channels"])[:, None])


@kernel("ms_table")
def table(layer: KernelCall, operands, held):
    return operands[1][operands[0][: layer.shape["count"]] - layer.shape["low"]]


@kernel("ms_softmax")
def softmax(layer: KernelCall, operands, held):
    s = layer.shape
    x = operands[0][: s["outer"] * s["depth"]].reshape(s["outer"], s["depth"])
    difference = x.max(1, keepdims=True) - x
    exponentials = np.append(operands[1], 0)[np.minimum(difference, s["count"])]
    total = gemmlowp.divided(exponentials, 12).sum(1, keepdims=True)
    headroom = 32 - np.frexp(total)[1].astype(np.int64)
    scale = gemmlowp.one_over_one_plus((total << headroom) - (1 << 31))
    low = -(1 << (s["bits"] - 1))
    return np.clip(
        gemmlowp.divided(gemmlowp.high_product(scale, exponentials), 43 - headroom - s["bits"]) + low, low, -low - 1
    )


@kernel("ms_top")
def top(layer: KernelCall, operands, held):
    s = layer.shape
    x = operands[0][: s["outer"] * s["count"] * s["inner"]].reshape(s["outer"], s["count"], s["inner"])
    if s["last"]:
        return s["count"] - 1 - np.argsort(-x[:, ::-1], axis=1, kind="stable")[:, : s["keep"]]
    return np.argsort(-x, axis=1, kind="stable")[:, : s["keep"]]


@kernel("ms_take")
def take(layer: KernelCall, operands, held):
    s = layer.shape
    x = operands[0][: s["outer"] * s["count"] * s["inner"]].reshape(s["outer"], s["count"], s["inner"])
    at = operands[1][: s["outer"] * s["keep"] * s["inner"]].reshape(s["outer"], s["keep"], s["inner"])
    return np.take_along_axis(x, at, 1)


@kernel("ms_pack")
def pack(layer: KernelCall, operands, held):
    s = layer.shape
    rows = operands[0][: s["rows"] * s["count"]].reshape(s["rows"], s["count"]) > 0
    return sign_words(rows).view(np.int64)


@kernel("ms_xnor_sums", "ms_xnor_bits")
def xnor(layer: KernelCall, operands, held):
    s, filters = layer.shape, layer.shape["filters"]
    x = _bits(operands[0].view(np.uint64))
    w = (
        _bits(operands[1].view(np.uint64))
        .reshape(-1, s["runs_h"] * s["runs_w"] * s["length"], 8, 64)
        .transpose(0, 2, 1, 3)
    )
    seen = _seen(x, s, _patch_offsets(s)).reshape(s["out_height"] * s["out_width"], -1)
    counts = np.stack([(seen != row).sum(axis=1) for row in w.reshape(len(w) * 8, -1)[:filters]], axis=1)
    if layer.kernel == "ms_xnor_bits":
        return sign_words(counts <= operands[2]).view(np.int64)
    return layer.extra - 2 * counts


def _bits(words: np.ndarray) -> np.ndarray:
    """0 or 1 of each bit, [words, 64]."""
    return (words[:, None] >> np.arange(64, dtype=np.uint64) & np.uint64(1)).astype(np.int8)


def _seen(x: np.ndarray, s: dict, offsets: np.ndarray) -> np.ndarray:
    """x at `offsets` from the start of each position, [out_height, out_width, offsets]."""
    starts = np.arange(s["out_height"])[:, None] * s["x_row"] + np.arange(s["out_width"]) * s["x_column"]
    return x[starts[..., None] + offsets]


def _patch_offsets(s: dict) -> np.ndarray:
    rows, columns = np.arange(s["runs_h"]) * s["run_h"], np.arange(s["runs_w"]) * s["run_w"]
    return (rows[:, None, None] + columns[:, None] + np.arange(s["length"])).ravel()


@kernel("ms_conv_u8", "ms_conv_u8_sums")
def conv_u8(layer: KernelCall, operands, held):
    s = layer.shape
    return _finish(
        layer,
        _seen(operands[0], s, _patch_offsets(s)) @ operands[1].reshape(s["filters"], -1).T,
        np.arange(s["filters"]),
    )


def _tap_offsets(s: dict) -> np.ndarray:
    return (
        np.arange(s["kernel_h"])[:, None, None] * s["tap_h"]
        + np.arange(s["kernel_w"])[:, None] * s["tap_w"]
        + np.arange(s["channels"])
    )


@kernel("ms_depthwise_u8", "ms_average_u8")
def taps_u8(layer: KernelCall, operands, held):
    s = layer.shape
    seen = _seen(operands[0], s, _tap_offsets(s).ravel()).reshape(s["out_height"], s["out_width"], -1, s["channels"])
    if layer.kernel == "ms_average_u8":
        return _finish(layer, seen.sum(axis=2), np.zeros(1, np.int64))
    return _finish(layer, (seen * operands[1].reshape(-1, s["channels"])).sum(axis=2), np.arange(s["channels"]))


@kernel("ms_add_u8")
def add_u8(layer: KernelCall, operands, held):
    s = layer.shape
    value = operands[0][: s["count"]] * s["multiplier_a"] + operands[1][: s["count"]] * s["multiplier_b"] + s["offset"]
    level = value >> s["shift"]
    if s["even"]:
        level = level - (((value & ((1 << s["shift"]) - 1)) == 0) & (level ^ s["zero"]) & 1)
    return np.clip(level, s["low"], s["high"]) - s["flip"]


@kernel("ms_pad_u8")
def pad_u8(layer: KernelCall, operands, held):
    s = layer.shape
    steps = ((s["height"], s["x_row"]), (s["width"], s["x_column"]), (s["channels"], s["x_channel"]))
    image = (
        operands[0][sum(np.arange(n).reshape([-1] + [1] * (2 - a)) * d for a, (n, d) in enumerate(steps))] + s["flip"]
    )
    return np.pad(image, ((s["top"], s["bottom"]), (s["left"], s["right"]), (0, 0)), constant_values=s["value"])


@kernel("ms_frame_u8")
def frame_u8(layer: KernelCall, operands, held):
    s = layer.shape
    inside = np.zeros((s["height"], s["width"], s["channels"]), bool)
    around = np.pad(inside, ((s["top"], s["bottom"]), (s["left"], s["right"]), (0, 0)), constant_values=True)
    held[np.flatnonzero(around)] = s["value"]
