"""Store tensors of at most 256 values as unsigned bytes, which the specialised kernels multiply by signed ones.

x is stored as x + offset; the layers that write x and those that read it absorb the difference (absorb.py).
"""

from __future__ import annotations

import numpy as np

from microstage.requantise import MultiplyAddShift
from microstage_cbackend.passes.absorb import absorbs_read, absorbs_write, raise_read, raise_written
from microstage_cbackend.passes.aliases import replace
from microstage_cbackend.passes.fuse import SUMMING, producer
from microstage_cbackend.program.ir import KernelCall, Part, Tensor
from microstage_cbackend.program.places import walk

__all__ = ["store_as_bytes"]

_MOVING = ("ms_max_pool", "ms_copy", "ms_gather")
"Kernels that give the integers that they take: what they read and what they write has one offset."
_WORTH_IT = (*SUMMING, "ms_blend", "ms_sum_pool")
_FLIP = 128


def store_as_bytes(part: Part) -> None:
    """Give every tensor of at most 256 values an offset with which it is bytes, where all around can absorb it."""
    _copy_inputs(part)
    _split_outputs(part)
    for group in _groups(part):
        offset = _offset(part, group)
        if all(0 <= t.low + offset and t.high + offset <= 255 for t in group) and _absorbed(part, group):
            for tensor in group:
                _raise(part, tensor, offset, group)
    for layer in list(part.layers):
        _drop_sum_with_zero(part, layer)


def _moves(layer: KernelCall) -> bool:
    """Tell whether `layer` gives integers that it takes; a copy of a constant has none of another's."""
    return layer.kernel in _MOVING and layer.inputs[0].data is None


def _groups(part: Part) -> list[list[Tensor]]:
    """Group the tensors that layers fill, those together that moves connect, in the order of the program."""
    group = {root: [root] for root in dict.fromkeys(layer.output.root for layer in part.layers)}
    for layer in part.layers:
        y, x = layer.output.root, layer.inputs[0].root if layer.inputs else None
        if _moves(layer) and x in group and group[x] is not group[y]:
            group[x].extend(group[y])
            group |= {tensor: group[x] for tensor in group[y]}
    return list({id(tensors): tensors for tensors in group.values()}.values())


def _offset(part: Part, group: list[Tensor]) -> int:
    """Choose what the tensors of a `group` are stored with.

    As bytes come, where a constant was added to them; else nothing, where they are bytes; else half of 256; else so
    that the least is 0.
    """
    low, high = min(t.low for t in group), max(t.high for t in group)
    for layer in (layer for tensor in group for layer in part.writers(tensor)):
        x, constant = layer.inputs[0].root, _constant(layer)
        if constant is not None and x.ctype in ("int8_t", "uint8_t"):
            as_it_comes = (_FLIP if x.ctype == "int8_t" else 0) - constant
            if 0 <= low + as_it_comes and high + as_it_comes <= 255:
                return as_it_comes
    if 0 <= low and high <= 255:
        return 0
    return _FLIP if -_FLIP <= low and high < _FLIP else -low


def _constant(layer: KernelCall) -> int | None:
    """Return the one integer that `layer` adds, if it is such a sum."""
    added = layer.inputs[1].data if layer.kernel == "ms_add" else None
    return int(added.flat[0]) if added is not None and np.all(added == added.flat[0]) else None


def _absorbed(part: Part, group: list[Tensor]) -> bool:
    """Tell whether all layers around the tensors can absorb an offset, and one of them is faster for bytes."""
    written = [layer for tensor in group for layer in part.writers(tensor)]
    read = [layer for tensor in group for layer in part.readers(tensor)]
    return (
        not any(t in part.outputs or t.declared for t in group)
        and all(absorbs_write(layer) or (_moves(layer) and layer.inputs[0].root in group) for layer in written)
        and all(absorbs_read(layer) or (_moves(layer) and layer.output.root in group) for layer in read)
        and any(layer.kernel in _WORTH_IT or _constant(layer) is not None for layer in read)
    )


def _raise(part: Part, tensor: Tensor, offset: int, group: list[Tensor]) -> None:
    """Store `tensor` plus `offset`."""
    for layer in part.writers(tensor):
        if not _moves(layer):
            raise_written(layer, offset)
    for layer in part.readers(tensor):
        for place, operand in enumerate(layer.inputs):
            if operand.root is tensor and not _moves(layer):
                raise_read(layer, place, offset)
    views = {id(t): t for layer in part.layers for t in (*layer.inputs, layer.output) if t.root is tensor} | {
        id(tensor): tensor
    }
    for view in views.values():
        view.low, view.high = view.low + offset, view.high + offset
    tensor.declared = "uint8_t"


def _drop_sum_with_zero(part: Part, layer: KernelCall) -> None:
    """Remove a sum x + c whose result is stored as x is: both are one tensor."""
    y, x = layer.output.root, layer.inputs[0]
    if _constant(layer) == 0 and x.ctype == y.ctype and y not in part.outputs and _in_order(layer):
        part.layers.remove(layer)
        replace(part, y, x.root.view(x.name, x.start + np.arange(y.size)))


def _in_order(layer: KernelCall) -> bool:
    """Tell whether the sum walks its first operand as it lies in memory."""
    return np.array_equal(walk(layer.shape, "x_step").ravel(), np.arange(layer.output.root.size))


def _copy_inputs(part: Part) -> None:
    """Give inputs that are no unsigned bytes a copy that can be: the copy that orders an image anyhow, or one more."""
    for layer in part.layers:
        x = layer.inputs[0].root
        if layer.kernel == "ms_copy" and x in part.inputs and _byte_wide(x) and _fills(layer):
            s = layer.shape
            layer.kernel, layer.accumulator, layer.inputs = (
                "ms_add",
                "int32_t",
                [x.view(x.name, np.array([s["x_start"]])), _zero()],
            )
            layer.shape = {"size": s["size"], "x_step": s["x_step"], "w_step": [0, 0, 0, 0]}
    for tensor in part.inputs:
        readers = [r for r in part.readers(tensor) if r.kernel in SUMMING and isinstance(r.stage, MultiplyAddShift)]
        if _byte_wide(tensor) and readers:
            _copy_input(part, tensor, readers)


def _byte_wide(tensor: Tensor) -> bool:
    return tensor.ctype != "uint8_t" and tensor.high - tensor.low <= 255


def _zero() -> Tensor:
    return Tensor("zero", (1,), 0, 0, np.zeros(1, np.int64))


def _fills(layer: KernelCall) -> bool:
    return layer.shape["y_start"] == 0 and np.array_equal(
        walk(layer.shape, "y_step").ravel(), np.arange(layer.output.root.size)
    )


def _copy_input(part: Part, tensor: Tensor, readers: list[KernelCall]) -> None:
    y = Tensor(f"{tensor.name}_bytes", tensor.shape, tensor.low, tensor.high)
    shape = {"size": [1, 1, 1, tensor.size], "x_step": [0, 0, 0, 1], "w_step": [0, 0, 0, 0]}
    first = min(part.layers.index(r) for r in readers)
    part.layers.insert(first, KernelCall(readers[0].node, "Copy", "ms_add", [tensor, _zero()], y, shape, "int32_t"))
    for reader in readers:
        reader.inputs = [y.view(t.name, t.places) if t.root is tensor else t for t in reader.inputs]


def _split_outputs(part: Part) -> None:
    """Give outputs of a wider type that span at most 256 values a layer of bytes before them."""
    for y in part.outputs:
        layer = producer(part, y)
        wide = y.ctype not in ("int8_t", "uint8_t") and y.high - y.low <= 255
        if wide and layer is not None and layer.kernel in SUMMING and isinstance(layer.stage, MultiplyAddShift):
            found = Tensor(f"{y.name}_bytes", y.shape, y.low, y.high)
            shape = {"size": [1, 1, 1, y.size], "x_step": [0, 0, 0, 1], "w_step": [0, 0, 0, 0]}
            after = KernelCall(layer.node, "Widen", "ms_add", [found, _zero()], y, shape, "int32_t")
            layer.output = found.view(layer.output.name, layer.output.places)
            part.layers.insert(part.layers.index(layer) + 1, after)
