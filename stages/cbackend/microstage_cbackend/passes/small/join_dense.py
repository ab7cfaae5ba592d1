"""Sum dense layers of one input together: the gates of a recurrent cell are one matrix, each with a stage of its own.

join_dense   layers of bytes by bytes whose sums become no bytes by a line: one layer of sums, a stage for each

Such stages are thresholds, lines to wider integers, and the sums themselves, which may have a bias or a narrow type.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from microstage.requantise import MultiplyAddShift, Raw, Search, Shared
from microstage_cbackend.passes.small.convolution import fits_word, on_conv
from microstage_cbackend.program.ir import Ends, KernelCall, Part, Requantisation, Tensor

__all__ = ["join_dense"]

_MOST = 1024
"Sums, four bytes each, beyond which they take more memory than they save time."
_ROOM = 2**31


def join_dense(part: Part) -> None:
    """Sum the dense layers of each input whose stages stand apart in one layer."""
    groups: dict[tuple[Tensor, int, int], list[KernelCall]] = {}
    for layer in part.layers:
        if _joins(layer):
            x = layer.inputs[0]
            groups.setdefault((x.root, x.start, layer.shape["depth"]), []).append(layer)
    for layers in groups.values():
        _join(part, layers)


def _joins(layer: KernelCall) -> bool:
    """Tell whether `layer` is a dense one of bytes by bytes for one row whose stage can take sums plus 128."""
    if layer.kernel != "ms_linear" or layer.shape["rows"] != 1 or not fits_word(layer):
        return False
    x, w = layer.inputs
    if w.ctype != "int8_t" or x.ctype not in ("int8_t", "uint8_t"):
        return False
    return _raised(layer) is not None


def _raised(layer: KernelCall) -> Requantisation | None:
    """Return the stage of `layer` for signed bytes that the kernel sees plus 128; None where it stays with its sums."""
    stage, added = layer.stage, _added(layer)
    if isinstance(stage, Raw):
        return _levelled(layer, added)
    if layer.bias is not None:
        return None
    if isinstance(stage, Search) and stage.scale == 1 and not stage.wide:
        return stage.of_raised(added)
    if isinstance(stage, Shared):
        offset = stage.offset - (added << stage.shift)
        sums = max(abs(int(end.min())) for end in (-layer.reach[1] - added, layer.reach[0] + added))
        small = (sums << stage.shift) < _ROOM and int(np.abs(offset).max()) < _ROOM
        return replace(stage, offset=offset) if small else None
    if isinstance(stage, MultiplyAddShift) and layer.output.ctype not in ("int8_t", "uint8_t"):
        raised = stage.of_raised(added)
        return replace(raised, wide=not raised.fits_32_bits(*_reach(layer)))
    return None


def _levelled(layer: KernelCall, added: np.ndarray) -> Requantisation | None:
    """Return what makes `layer`'s output of its sums plus `added`; None where the kernel of sums gives just that."""
    offset = -added if layer.bias is None else layer.bias.integers.astype(np.int64).ravel() - added
    y = layer.output
    if not np.any(offset):
        return None if layer.bias is None and y.ctype == "int32_t" and layer.inputs[0].ctype == "uint8_t" else Raw()
    line = MultiplyAddShift(np.ones_like(offset), offset, 0, y.low, y.high)
    return replace(line, wide=not line.fits_32_bits(*_reach(layer)))


def _added(layer: KernelCall) -> np.ndarray:
    """Return what the sums of each filter are larger by where signed bytes are seen plus 128."""
    rows = layer.weights.reshape(len(layer.weights), -1).sum(axis=1)
    return 128 * rows if layer.inputs[0].ctype == "int8_t" else 0 * rows


def _partial(layer: KernelCall) -> tuple[int, int]:
    """Return the range of partial sums of what the layer stores, before its bias."""
    bias = np.zeros(1, np.int64) if layer.bias is None else layer.bias.integers
    return layer.partial[0] - max(0, int(bias.max())), layer.partial[1] - min(0, int(bias.min()))


def _reach(layer: KernelCall) -> Ends:
    """Return the lowest and the highest sum of each filter of bytes as the kernel sees them."""
    ends = _partial(layer) if isinstance(layer.stage, Raw) else layer.reach
    return ends[0] + _added(layer), ends[1] + _added(layer)


def _join(part: Part, layers: list[KernelCall]) -> None:
    """Put one layer of all sums before the first of `layers`, which become stages."""
    if sum(layer.shape["columns"] for layer in layers) > _MOST:
        return
    joined = _sums(layers)
    part.layers.insert(part.layers.index(layers[0]), joined)
    first = 0
    for layer in layers:
        count = layer.shape["columns"]
        own = joined.output.view(f"{layer.output.name}_sums", np.arange(first, first + count))
        part.layers[part.layers.index(layer)] = _stage(layer, own)
        first += count
    on_conv(part, joined)


def _sums(layers: list[KernelCall]) -> KernelCall:
    """Return the layer that gives the sums of all `layers`, one after another, of bytes as the kernel sees them."""
    first, rows = layers[0], np.concatenate([layer.weights.reshape(len(layer.weights), -1) for layer in layers])
    added = np.concatenate([_added(layer) for layer in layers])
    low = min(_partial(layer)[0] for layer in layers) + min(0, int(added.min()))
    high = max(_partial(layer)[1] for layer in layers) + max(0, int(added.max()))
    w = Tensor(first.inputs[1].name, rows.shape, int(rows.min()), int(rows.max()), rows, declared="int8_t")
    y = Tensor(f"{first.output.name}_sums", (1, len(rows)), low, high, declared="int32_t")
    shape = {**first.shape, "columns": len(rows)}
    call = KernelCall(first.node, first.operator, "ms_linear", [first.inputs[0], w], y, shape, "int32_t")
    return replace(call, stage=Raw(), partial=(low, high))


def _stage(layer: KernelCall, sums: Tensor) -> KernelCall:
    """Return the stage that makes `layer`'s output of its `sums`."""
    shape = {"outer": 1, "channels": layer.shape["columns"], "inner": 1}
    call = KernelCall(layer.node, layer.operator, "ms_stage", [sums], layer.output, shape, "int32_t")
    return replace(call, stage=_raised(layer), reach=_reach(layer))
