"""Multiply signs in words of 64: -1/+1 (or 0/1) by -1/+1 is a count of differing bits, a pool of signs an or."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from microstage.requantise import Raw, Search
from microstage_cbackend.kernels.layouts import pack_signs as words_of
from microstage_cbackend.passes.fuse import channels_of, producer
from microstage_cbackend.passes.specialise import window_shape
from microstage_cbackend.program.ir import KernelCall, Part, Tensor

__all__ = ["pack_signs"]

_COUNTED = ("ms_linear", "ms_conv2d")


@dataclass(frozen=True)
class _Signs:
    """Describe a tensor of two values: 0 and 1 where `zero`, else -1 and +1.

    `group` of them lie side by side, the channels of a pixel.
    """

    group: int
    zero: bool


def pack_signs(part: Part) -> None:
    """Put layers of signs by signs on packed words; hand bits from layer to layer where they are read as bits."""
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
    for layer in part.layers:
        if layer.kernel == "ms_pack":
            _as_bits(part, layer)
    for layer in list(part.layers):
        if layer.kernel == "ms_xnor_sums":
            _set_apart(part, layer)


def _sign_tensors(part: Part) -> dict[int, _Signs]:
    """Find the tensors of two values, by id of their root."""
    found: dict[int, _Signs] = {}
    for layer in part.layers:
        stage, s = layer.stage, layer.shape
        if isinstance(stage, Search) and _two_valued(stage):
            zero = stage.scale == 1
            if layer.kernel in _COUNTED:
                found[id(layer.output.root)] = _Signs(channels_of(layer), zero)
            elif layer.kernel == "ms_stage":
                found[id(layer.output.root)] = _Signs(
                    s["channels"] if s["inner"] == 1 and s["channels"] > 1 else s["inner"], zero
                )
        elif layer.kernel == "ms_max_pool" and id(layer.inputs[0].root) in found and s["outer"] == 1:
            found[id(layer.output.root)] = _Signs(s["inner"], found[id(layer.inputs[0].root)].zero)
    return found


def _two_valued(stage: Search) -> bool:
    low, high = stage.ends
    return (stage.scale == 1 and 0 <= low and high <= 1) or (
        stage.scale == 2 and -1 <= low and high <= 1 and stage.bias % 2 == 1
    )


def _counts_signs(layer: KernelCall, signs: dict[int, _Signs]) -> bool:
    """Tell whether `layer` multiplies signs by signs, with nothing around them."""
    if (
        layer.kernel not in _COUNTED
        or layer.bias is not None
        or layer.accumulator != "int32_t"
        or not isinstance(layer.stage, Raw | Search)
    ):
        return False
    x, s = layer.inputs[0], layer.shape
    values = s["depth"] if layer.kernel == "ms_linear" else s["channels"]
    found = signs.get(id(x.root))
    if found is None or x.start != 0 or int(np.prod(x.shape)) != x.root.size or values % found.group:
        return False
    if layer.kernel == "ms_conv2d" and (s["groups"] != 1 or s["pad_top"] + s["pad_left"] > 0 or _reaches_out(s)):
        return False  # a border of zeros has no sign
    return bool(np.all(np.abs(layer.weights) == 1) and not (found.zero and isinstance(layer.stage, Raw)))


def _reaches_out(s: dict) -> bool:
    sides = ("height", "h"), ("width", "w")
    return any(
        (s[f"out_{a}"] - 1) * s[f"stride_{b}"] + (s[f"kernel_{b}"] - 1) * s[f"dilation_{b}"] >= s[a] for a, b in sides
    )


def _make_xnor(part: Part, layer: KernelCall, signs: _Signs) -> None:
    """Make `layer` one that counts differing bits of packed words."""
    x, s, weights = layer.inputs[0], layer.shape, layer.weights
    filters, per_tap = channels_of(layer), s["depth"] if layer.kernel == "ms_linear" else s["channels"]
    if signs.zero and isinstance(layer.stage, Search):
        # S = 2 s - total, where s sums 0/1 times weights, S the -1/+1 times weights and total the weights
        totals = weights.reshape(filters, -1).sum(axis=1)
        layer.stage = replace(layer.stage, thresholds=2 * layer.stage.thresholds - totals[:, None])
        layer.reach = tuple(2 * end - totals for end in layer.reach)
    words = per_tap // signs.group * (-(-signs.group // 64))
    if layer.kernel == "ms_conv2d":
        shape = window_shape(s, words)
    else:
        shape = {"out_height": 1, "out_width": s["rows"], "filters": filters, "runs_h": 1, "runs_w": 1, "length": words}
        shape |= {"run_h": 0, "run_w": 0, "x_row": 0, "x_column": words}
    packed = words_of(weights.reshape(filters, -1, signs.group))
    layer.signs = weights.size // filters
    layer.inputs = [
        _packed(part, layer, x, signs.group),
        Tensor(layer.inputs[1].name, packed.shape, -1, 1, packed, declared="uint64_t"),
    ]
    layer.kernel, layer.scratch = "ms_xnor_sums", 0
    layer.shape = {**shape, "y_row": shape["out_width"] * filters, "y_column": filters}
    layer.partial = -layer.signs, layer.signs
    layer.remark = f"sums within {layer.partial[0]}..{layer.partial[1]}; signs in words of 64"


def _packed(part: Part, reader: KernelCall, x: Tensor, group: int) -> Tensor:
    rows, words = x.root.size // group, -(-group // 64)
    for layer in part.layers:
        if layer.kernel == "ms_pack" and layer.inputs[0].root is x.root and layer.shape["count"] == group:
            return layer.output
    y = Tensor(f"{x.root.name}_signs", (rows, words), -1, 1, declared="uint64_t")
    whole = x.root.view(x.root.name, np.arange(x.root.size))
    layer = KernelCall(reader.node, "Pack", "ms_pack", [whole], y, {"rows": rows, "count": group, "words": words})
    part.layers.insert(part.layers.index(reader), layer)
    return y


def _before_pool(part: Part, pack: KernelCall) -> None:
    """Pool words of signs instead of signs."""
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


def _into_xnor(part: Part, pack: KernelCall) -> None:
    """Let a layer on words give the words that `pack` makes of its signs: a bit where few enough bits differ."""
    before = producer(part, pack.inputs[0])
    if before is None or before.kernel != "ms_xnor_sums" or not part.read_once(pack.inputs[0]):
        return
    if not isinstance(before.stage, Search) or before.shape["filters"] != pack.shape["count"]:
        return
    limits = _limits(part, before, before.stage)
    before.inputs.append(
        Tensor(
            f"{before.output.name}_limits",
            limits.shape,
            int(limits.min()),
            int(limits.max()),
            limits,
            declared="int32_t",
        )
    )
    before.kernel, before.output, before.stage, before.accumulator = "ms_xnor_bits", pack.output, None, ""
    before.shape |= {"y_row": before.shape["out_width"] * pack.shape["words"], "y_column": pack.shape["words"]}
    part.layers.remove(pack)


def _as_bits(part: Part, pack: KernelCall) -> None:
    """Give 0 and 1 in place of -1 and +1 that are packed at once, which a multiply-add-shift can give."""
    before, x = producer(part, pack.inputs[0]), pack.inputs[0].root
    if (
        before is not None
        and part.read_once(x)
        and isinstance(before.stage, Search)
        and before.stage.scale == 2
        and _two_valued(before.stage)
    ):
        before.stage = replace(before.stage, scale=1, bias=(before.stage.bias + 1) // 2)
        for tensor in {id(t): t for t in (x, before.output, pack.inputs[0])}.values():
            tensor.low, tensor.high = 0, 1


def _limits(part: Part, layer: KernelCall, search: Search) -> np.ndarray:
    """Return the most differing bits, per filter, with which the stage `search` of two values gives the higher.

    It is compared at every sum, which is noted among the proofs of `part`.
    """
    bits, filters = layer.signs, layer.shape["filters"]
    counts = np.arange(bits + 1)
    channel = np.repeat(np.arange(filters), len(counts))
    high = search.apply(np.tile(bits - 2 * counts, filters), channel).reshape(filters, -1) > 0
    limits = high.sum(axis=1) - 1
    assert np.array_equal(high, counts <= limits[:, None]), f"{layer.node}: its stage is no limit"
    proof = {
        "layer": layer.node,
        "operator": layer.operator,
        "sums": list(layer.partial),
        "rows": filters,
        "thresholds": search.thresholds.shape[1],
    }
    part.proofs.append(
        proof
        | {"form": "limits", "bytes": 4 * filters, "bytes_as_thresholds": search.bytes, "sums_compared": int(high.size)}
    )
    return limits


def _set_apart(part: Part, layer: KernelCall) -> None:
    """Put what becomes of the sums into a layer of its own: its stage, or a copy into a narrower type."""
    y, filters = layer.output, layer.shape["filters"]
    if isinstance(layer.stage, Raw) and y.ctype == "int32_t":
        return
    sums = Tensor(f"{y.name}_sums", y.root.shape, *layer.partial, declared="int32_t")
    if isinstance(layer.stage, Raw):
        shape = {
            "size": [1, 1, 1, sums.size],
            "x_start": 0,
            "x_step": [0, 0, 0, 1],
            "y_start": 0,
            "y_step": [0, 0, 0, 1],
        }
        after = KernelCall(layer.node, "Copy", "ms_copy", [sums], y, shape)
    else:
        shape = {"outer": sums.size // filters, "channels": filters, "inner": 1}
        after = KernelCall(
            layer.node, layer.operator, "ms_stage", [sums], y, shape, "int32_t", stage=layer.stage, reach=layer.reach
        )
    layer.output, layer.stage = sums, Raw()
    part.layers.insert(part.layers.index(layer) + 1, after)
