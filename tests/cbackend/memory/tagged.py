"""A part run on memory that knows of each byte what lies in it: which byte of which tensor, or nothing that counts.

Kernels are walked with plain loops, byte by byte, as kernels/small/ms_small.h promises and no better: positions in
order, channels and elements in a drawn order, working memory spoilt before every step. Whatever reads a byte that is
not there any more is a `Lost`.
"""

from collections.abc import Iterator
from random import Random

import numpy as np

from microstage_cbackend.program.ir import KernelCall, Part, Tensor, bits_of
from microstage_cbackend.program.memory import MemoryPlan

__all__ = ["Lost", "walk"]

Step = tuple[list[tuple[int, int]], list[int]]
"What a kernel reads, as (number of the input, byte), and which bytes of its output it then writes."


class Lost(AssertionError):
    """A kernel read a byte over which something else was written."""


def walk(part: Part, plan: MemoryPlan, random: Random, inside: bool) -> None:
    """Run `part` by `plan`; `inside`: its inputs lie in the arena."""
    ends = [b.offset + b.bytes for b in (*plan.buffers.values(), *plan.scratch.values(), *plan.inputs.values())]
    memory = np.full(max([plan.size, *ends]), -1)
    names = {root: number << 32 for number, root in enumerate([*part.inputs, *plan.buffers])}
    places = {tensor: buffer.offset for tensor, buffer in plan.buffers.items()}
    if inside:
        for tensor, buffer in plan.inputs.items():
            places[tensor] = buffer.offset
            memory[buffer.offset : buffer.offset + tensor.bytes] = names[tensor] + np.arange(tensor.bytes)
    for number, layer in enumerate(part.layers):
        inputs = [t for t in layer.inputs if t.data is None]
        for reads, writes in _steps(layer, random):
            if number in plan.scratch:
                scratch = plan.scratch[number]
                memory[scratch.offset : scratch.offset + scratch.bytes] = -1
            for operand, byte in reads:
                root, at = inputs[operand].root, _start(inputs[operand]) + byte
                if root in places and memory[places[root] + at] != names[root] + at:
                    raise Lost(f"{layer.node} reads byte {at} of {root.name}")
            root = layer.output.root
            for byte in writes if root in places else ():
                at = _start(layer.output) + byte
                memory[places[root] + at] = names[root] + at


def _start(tensor: Tensor) -> int:
    return tensor.start * bits_of(tensor.ctype) // 8


def _steps(layer: KernelCall, random: Random) -> Iterator[Step]:
    kinds = {
        "ms_small_conv": _conv,
        "ms_small_conv_sums": _conv,
        "ms_small_depthwise": _depthwise,
        "ms_small_add": _add,
        "ms_max_pool": _pool,
        "ms_stage": _stage,
        "ms_pack": _pack,
    }
    return kinds.get(layer.kernel, _unknown)(layer, random)


def _unknown(layer: KernelCall, random: Random) -> Iterator[Step]:
    """Nothing is known: all may be read behind the last write."""
    every = [(i, b) for i, t in enumerate(t for t in layer.inputs if t.data is None) for b in range(t.bytes)]
    yield every, [*range(layer.output.bytes)]
    yield every, []


def _conv(layer: KernelCall, random: Random) -> Iterator[Step]:
    """Patches of a drawn number of positions are read before the outputs of those are written."""
    s, width = layer.shape, layer.output.bytes // (layer.shape["out_height"] * layer.shape["out_width"])
    positions, count = s["out_height"] * s["out_width"], random.choice((1, 4))
    for first in range(0, positions, count):
        some = range(first, min(first + count, positions))
        yield [(0, b) for p in some for b in _patch(s, *divmod(p, s["out_width"]))], []
        for p in some:
            yield [], [*range(p * width, (p + 1) * width)]


def _patch(s: dict, h: int, v: int) -> Iterator[int]:
    for plane in range(s["planes"]):
        for row in (h * s["stride_h"] + i * s["dilation_h"] - s["pad_top"] for i in range(s["kernel_h"])):
            for column in (v * s["stride_w"] + j * s["dilation_w"] - s["pad_left"] for j in range(s["kernel_w"])):
                if 0 <= row < s["height"] and 0 <= column < s["width"]:
                    start = ((plane * s["height"] + row) * s["width"] + column) * s["channels"]
                    yield from range(start, start + s["channels"])


def _depthwise(layer: KernelCall, random: Random) -> Iterator[Step]:
    """Groups of channels in a drawn order; a row is fetched before the first output row that sees it is written."""
    s, size = layer.shape, random.choice((1, 2, 4))
    groups = [range(c, min(c + size, s["channels"])) for c in range(0, s["channels"], size)]
    random.shuffle(groups)
    for group in groups:
        fetched: set[int] = set()
        for h in range(s["out_height"]):
            seen = {h * s["stride_h"] + i * s["dilation_h"] - s["pad_top"] for i in range(s["kernel_h"])}
            new = [r for r in sorted(seen - fetched) if 0 <= r < s["height"]]
            fetched |= seen
            row = s["width"] * s["channels"]
            yield [(0, r * row + v * s["channels"] + c) for r in new for v in range(s["width"]) for c in group], []
            for v in range(s["out_width"]):
                yield [], [(h * s["out_width"] + v) * s["channels"] + c for c in group]


def _add(layer: KernelCall, random: Random) -> Iterator[Step]:
    elements = [*range(layer.output.size)]
    random.shuffle(elements)
    inputs = sum(t.data is None for t in layer.inputs)
    for element in elements:
        yield [(i, element) for i in range(inputs)], [element]


def _stage(layer: KernelCall, random: Random) -> Iterator[Step]:
    """Elements from start to end, as the loops in ms_stage.c."""
    width = layer.output.bytes // layer.output.size
    for element in range(layer.output.size):
        yield [(0, element)], [*range(element * width, (element + 1) * width)]


def _pool(layer: KernelCall, random: Random) -> Iterator[Step]:
    """Windows from start to end, one element of each behind the other, as the loops in ms_max_pool.c."""
    s, written = layer.shape, 0
    window = {**s, "planes": 1, "channels": 1, "dilation_h": 1, "dilation_w": 1}
    for o in range(s["outer"]):
        for h in range(s["out_height"]):
            for v in range(s["out_width"]):
                pixels = [o * s["height"] * s["width"] + p for p in _patch(window, h, v)]
                for n in range(s["inner"]):
                    yield [(0, p * s["inner"] + n) for p in pixels], [written]
                    written += 1


def _pack(layer: KernelCall, random: Random) -> Iterator[Step]:
    """Rows of bytes, the word of each 64 of them behind the other, as the loops in ms_pack.h."""
    s = layer.shape
    for word in range(s["rows"] * s["words"]):
        row, n = divmod(word, s["words"])
        bytes_of = range(64 * n, min(64 * n + 64, s["count"]))
        yield [(0, row * s["count"] + b) for b in bytes_of], [*range(8 * word, 8 * word + 8)]
