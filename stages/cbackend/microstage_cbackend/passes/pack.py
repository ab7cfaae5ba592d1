"""Weights of few bits packed in flash, and products of signs on words of 64."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from microstage_cbackend.interpret import pack_signs as words_of
from microstage_cbackend.ir import Layer, Part, Tensor
from microstage_cbackend.passes.fuse import channels_of, producer
from microstage_cbackend.stages import Affine, Raw, Search

__all__ = ["pack_signs", "pack_weights"]

_PACKED = ("ms_linear", "ms_conv2d")
_WORTH = 128
"Weights below which packing saves less flash than its code takes."


def pack_weights(part: Part) -> None:
    """Weights of 1 (-1 and +1), 2 or 4 bits, rows of whole bytes, the first weight in the lowest bits; 3 bits lie in 4."""
    for layer in part.layers:
        if layer.kernel in _PACKED and layer.inputs[1].size >= _WORTH:
            bits = _bits(layer.inputs[1].data)
            if bits < 8:
                _pack(layer, bits)


def _bits(weights: np.ndarray) -> int:
    if np.all(np.abs(weights) == 1):
        return 1
    low, high = int(weights.min()), int(weights.max())
    return next((b for b in (2, 4) if -(2 ** (b - 1)) <= low and high < 2 ** (b - 1)), 8)


def _pack(layer: Layer, bits: int) -> None:
    w = layer.inputs[1]
    rows = w.data.reshape(channels_of(layer), -1)
    fields = (rows > 0).astype(np.int64) if bits == 1 else rows & ((1 << bits) - 1)
    each = 8 // bits
    padded = np.zeros((len(rows), -(-rows.shape[1] // each) * each), np.int64)
    padded[:, : rows.shape[1]] = fields
    data = (padded.reshape(len(rows), -1, each) << (np.arange(each) * bits)).sum(axis=2)
    layer.inputs[1] = Tensor(w.name, data.shape, 0, 255, data, declared="uint8_t")
    layer.kernel, layer.extra, layer.scratch = f"{layer.kernel}_packed", bits, ("int8_t", rows.shape[1])
    layer.remark += f"; weights of {bits} bit{'s' * (bits > 1)}"


@dataclass(frozen=True)
class _Signs:
    """A tensor of two values: `group` of them lie side by side, the channels of a pixel; `zero`: they are 0 and 1, else -1 and +1."""

    group: int
    zero: bool


def pack_signs(part: Part) -> None:
    """Layers of -1/+1 (or 0/1) by -1/+1 count differing bits; pools between them are ors."""
    signs = _sign_tensors(part)
    for layer in list(part.layers):
        if _counts_signs(layer, signs):
            _make_xnor(part, layer, signs[id(layer.inputs[0].root)])
    for layer in list(part.layers):
        if layer.kernel == "ms_pack":
            _before_pool(part, layer)
    for layer in list(part.layers):
        if layer.kernel == "ms_pack":
            _into_xnor(part, layer)


def _sign_tensors(part: Part) -> dict[int, _Signs]:
    """Tensors of two values by id of their root."""
    found: dict[int, _Signs] = {}
    for layer in part.layers:
        stage, s = layer.stage, layer.shape
        if isinstance(stage, Search) and _two_valued(stage):
            zero = stage.scale == 1
            if layer.kernel in _PACKED:
                found[id(layer.output.root)] = _Signs(channels_of(layer), zero)
            elif layer.kernel == "ms_stage":
                found[id(layer.output.root)] = _Signs(s["channels"] if s["inner"] == 1 and s["channels"] > 1 else s["inner"], zero)
        elif layer.kernel == "ms_max_pool" and id(layer.inputs[0].root) in found and s["outer"] == 1:
            found[id(layer.output.root)] = _Signs(s["inner"], found[id(layer.inputs[0].root)].zero)
    return found


def _two_valued(stage: Search) -> bool:
    low, high = stage.ends
    return (stage.scale == 1 and 0 <= low and high <= 1) or (stage.scale == 2 and -1 <= low and high <= 1 and stage.bias % 2 == 1)


def _counts_signs(layer: Layer, signs: dict[int, _Signs]) -> bool:
    if layer.kernel not in _PACKED or layer.bias is not None or layer.accumulator != "int32_t":
        return False
    x, s = layer.inputs[0], layer.shape
    values = s["depth"] if layer.kernel == "ms_linear" else s["channels"]
    found = signs.get(id(x.root))
    if found is None or x.start != 0 or int(np.prod(x.shape)) != x.root.size or values % found.group:
        return False
    if layer.kernel == "ms_conv2d":
        padded = s["pad_top"] + s["pad_left"] > 0 or _reaches_out(s)
        if s["groups"] != 1 or (padded and (found.zero or s["pad_value"] != 0)):
            return False
    return bool(np.all(np.abs(layer.inputs[1].data) == 1) and not (found.zero and isinstance(layer.stage, Raw)))


def _reaches_out(s: dict) -> bool:
    sides = ("height", "h"), ("width", "w")
    return any((s[f"out_{a}"] - 1) * s[f"stride_{b}"] + (s[f"kernel_{b}"] - 1) * s[f"dilation_{b}"] >= s[a] for a, b in sides)


def _make_xnor(part: Part, layer: Layer, signs: _Signs) -> None:
    x, s, weights = layer.inputs[0], layer.shape, layer.inputs[1].data
    if signs.zero:
        layer.stage = _of_doubled_sums(layer.stage, weights.reshape(channels_of(layer), -1).sum(axis=1))
    if layer.kernel == "ms_linear":
        per_tap, one = s["depth"], ("kernel_h", "kernel_w", "stride_h", "stride_w", "dilation_h", "dilation_w", "width", "out_width", "groups")
        shape = {"height": s["rows"], "out_height": s["rows"], "filters": s["columns"], "pad_top": 0, "pad_left": 0, "pad_value": 0}
        shape |= dict.fromkeys(one, 1)
    else:
        per_tap, shape = s["channels"], dict(s)
    words = words_of((weights > 0).reshape(-1, signs.group))
    layer.inputs[1] = Tensor(layer.inputs[1].name, words.shape, -1, 1, words, declared="uint64_t")
    layer.kernel, layer.scratch, layer.extra = "ms_xnor", None, per_tap
    layer.shape = shape | {"channels": per_tap // signs.group * words.shape[1]}
    layer.inputs[0] = _packed(part, layer, x, signs.group, words.shape[1])
    layer.remark += "; signs in words of 64"


def _of_doubled_sums(stage: Search | Affine, totals: np.ndarray) -> Search | Affine:
    """The stage of S = 2 s - total, the sum of -1/+1 times weights, where s is that of 0/1 times weights and `totals` are theirs."""
    if isinstance(stage, Search):
        return Search(2 * stage.thresholds - totals[:, None], stage.scale, stage.bias, stage.wide)
    offset = 2 * stage.offset + totals * stage.multiplier
    return Affine(np.broadcast_to(stage.multiplier, offset.shape), offset, stage.shift + 1, stage.low, stage.high, stage.even, wide=True)


def _packed(part: Part, reader: Layer, x: Tensor, group: int, words: int) -> Tensor:
    rows = x.root.size // group
    for layer in part.layers:
        if layer.kernel == "ms_pack" and layer.inputs[0].root is x.root and layer.shape["count"] == group:
            return layer.output
    y = Tensor(f"{x.root.name}_signs", (rows, words), -1, 1, declared="uint64_t")
    whole = x.root.view(x.root.name, np.arange(x.root.size))
    layer = Layer(reader.node, "Pack", "ms_pack", [whole], y, {"rows": rows, "count": group, "words": words})
    part.layers.insert(part.layers.index(reader), layer)
    return y


def _before_pool(part: Part, pack: Layer) -> None:
    """The signs of a pool of signs: the pool of their words."""
    pool = producer(part, pack.inputs[0])
    if pool is None or pool.kernel != "ms_max_pool" or pool.shape["outer"] != 1 or not part.read_once(pack.inputs[0]):
        return
    group, words = pack.shape["count"], pack.shape["words"]
    x = pool.inputs[0]
    if pool.shape["inner"] != group or x.start != 0 or int(np.prod(x.shape)) != x.root.size:
        return
    between = Tensor(f"{x.root.name}_signs", (x.root.size // group, words), -1, 1, declared="uint64_t")
    pool.kernel, pool.inputs, pool.output = "ms_or_pool", [between], pack.output
    pool.shape = {**pool.shape, "inner": words}
    pack.inputs, pack.output, pack.shape = [x], between, {**pack.shape, "rows": x.root.size // group}
    part.layers.remove(pack)
    part.layers.insert(part.layers.index(pool), pack)


def _into_xnor(part: Part, pack: Layer) -> None:
    """Signs that a layer on words gives: words at once."""
    before = producer(part, pack.inputs[0])
    if before is None or before.kernel != "ms_xnor" or not part.read_once(pack.inputs[0]) or isinstance(before.stage, Raw):
        return
    if before.shape["filters"] == pack.shape["count"]:
        before.kernel, before.output = "ms_xnor_bits", pack.output
        part.layers.remove(pack)
