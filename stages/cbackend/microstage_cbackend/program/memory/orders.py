"""Say when a kernel reads each byte of its inputs for the last time, and writes each byte of its output first.

A step is a moment of one call; what a kernel reads at a step it reads before it writes anything of that step. Kernels
whose parts come in no known order (elements of a sum, channels of a depthwise layer) are described by two walks, one
forward and one backward over the parts: memory that is right in both is right in any order, as two different parts
must then not touch the same byte.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from microstage_cbackend.program.ir import KernelCall, bits_of

__all__ = ["NEVER", "Order", "orders_of"]

NEVER = -1
"The step at which a byte is read that a kernel does not read."


@dataclass(frozen=True)
class Order:
    """Hold steps, int64 [walks][bytes]: of the last read of each input that is no constant, of the first write.

    There is one walk, or two: forward and backward.
    """

    reads: tuple[np.ndarray, ...]
    writes: np.ndarray


def orders_of(layers: Sequence[KernelCall]) -> list[Order | None]:
    """Return the order that the kernel of each layer promises; None where it promises none.

    Orders are known of a part for small machines, which the generated C alone runs: other parts stand in the network
    file too, whose interpreter has kernels of its own.
    """
    if not any(layer.kernel.startswith("ms_small_") for layer in layers):
        return [None] * len(layers)
    return [_ORDERS[layer.kernel](layer) if layer.kernel in _ORDERS else None for layer in layers]


def _windows(layer: KernelCall) -> Order:
    """Positions in order, row by row: what those up to one see is read before it is written."""
    s = layer.shape
    rows, columns = _uses(s, "height", "h", "pad_top").max(axis=1), _uses(s, "width", "w", "pad_left").max(axis=1)
    steps = np.where(np.minimum(rows[:, None], columns) < 0, NEVER, rows[:, None] * s["out_width"] + columns)
    read = np.broadcast_to(steps[None, :, :, None], (s["planes"], *steps.shape, s["channels"]))
    written = np.repeat(np.arange(s["out_height"] * s["out_width"]), s["filters"] * bits_of(layer.output.ctype) // 8)
    return Order((read.reshape(1, -1),), written.reshape(1, -1))


def _depthwise(layer: KernelCall) -> Order:
    """Channels in any order; each reads its rows once, and those that an output row needs before writing that row."""
    s = layer.shape
    uses = _uses(s, "height", "h", "pad_top")
    rows = np.where(uses < 0, s["out_height"], uses).min(axis=1)
    rows = np.where(rows == s["out_height"], NEVER, rows)
    channels = np.arange(s["channels"]) * s["out_height"]
    walks = [
        (
            np.where(rows[:, None, None] < 0, NEVER, rows[:, None, None] + channel + np.zeros((s["width"], 1), int)),
            np.arange(s["out_height"])[:, None, None] + channel + np.zeros((s["out_width"], 1), int),
        )
        for channel in (channels, channels[::-1])
    ]
    read, written = (np.stack([walk[i].ravel() for walk in walks]) for i in range(2))
    return Order((read,), written)


def _elements(layer: KernelCall) -> Order:
    """Elements in any order, each read before it is written."""
    steps = np.arange(layer.output.size)
    walks = np.stack([steps, steps[::-1]])
    return Order((walks,) * sum(t.data is None for t in layer.inputs), walks)


def _pool(layer: KernelCall) -> Order | None:
    """Elements of the output in order, each written behind the reads of its window."""
    s = layer.shape | {"dilation_h": 1, "dilation_w": 1}
    rows, columns = _uses(s, "height", "h", "pad_top").max(axis=1), _uses(s, "width", "w", "pad_left").max(axis=1)
    image = np.where(np.minimum(rows[:, None], columns) < 0, NEVER, rows[:, None] * s["out_width"] + columns)
    outer = np.arange(s["outer"])[:, None, None] * s["out_height"] * s["out_width"]
    steps = np.where(image < 0, NEVER, outer + image)[..., None]
    return _one_by_one(layer, np.where(steps < 0, NEVER, steps * s["inner"] + np.arange(s["inner"])))


def _copies(layer: KernelCall) -> Order | None:
    """Elements in order, each read before it is written."""
    return _one_by_one(layer, np.arange(layer.output.size))


def _signs(layer: KernelCall) -> Order:
    """Words of 64 signs in order, each written behind the bytes that it is made of."""
    s = layer.shape
    steps = np.arange(s["rows"])[:, None] * s["words"] + np.arange(s["count"]) // 64
    return Order((steps.reshape(1, -1),), np.repeat(np.arange(s["rows"] * s["words"]), 8).reshape(1, -1))


def _one_by_one(layer: KernelCall, read: np.ndarray) -> Order | None:
    """Return the order of a kernel in C that writes element after element; `read`: the last step that reads each.

    None where the C types are such that a compiler may take reads and writes for those of different memory.
    """
    x, y = layer.inputs[0], layer.output
    widths = bits_of(x.ctype) // 8, bits_of(y.ctype) // 8
    if widths[0] != widths[1] and 1 not in widths:
        return None
    steps = np.repeat(read.ravel(), widths[0]), np.repeat(np.arange(y.size), widths[1])
    return Order((steps[0].reshape(1, -1),), steps[1].reshape(1, -1))


def _uses(s: dict, size: str, axis: str, pad: str) -> np.ndarray:
    """Return which output of one axis sees each of its places by each tap, int64 [places][taps]; -1 where none."""
    start = np.arange(s[size])[:, None] + s[pad] - np.arange(s[f"kernel_{axis}"]) * s[f"dilation_{axis}"]
    output, between = np.divmod(start, s[f"stride_{axis}"])
    return np.where((between == 0) & (output >= 0) & (output < s[f"out_{size}"]), output, NEVER)


_ORDERS: dict[str, Callable[[KernelCall], Order | None]] = {
    **dict.fromkeys(("ms_small_conv", "ms_small_conv_sums", "ms_small_conv_requant"), _windows),
    **dict.fromkeys(("ms_small_depthwise", "ms_small_depthwise_requant"), _depthwise),
    "ms_small_add": _elements,
    **dict.fromkeys(("ms_max_pool", "ms_or_pool", "ms_sum_pool"), _pool),
    **dict.fromkeys(("ms_stage", "ms_table"), _copies),
    "ms_pack": _signs,
}
"Kernels that keep the promises of kernels/small, and those in C whose loops write their output from start to end."
