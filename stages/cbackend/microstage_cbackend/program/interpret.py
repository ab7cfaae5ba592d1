"""Interpret the integer program in NumPy: what each kernel means, apart from how it is written in C.

`run` is exact in int64 and raises where a value leaves the range or the accumulator that was proven for it, so that
every pass can be compared with the program before it, and every proof with what happens.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from microstage_cbackend.program.ir import KernelCall, Part, Tensor, type_range
from microstage_cbackend.program.meaning import copies, packed, small, sums, values

__all__ = ["run"]

Meaning = Callable[[KernelCall, list[np.ndarray], np.ndarray], np.ndarray | None]
MEANINGS: dict[str, Meaning] = {
    "ms_linear": sums.linear,
    "ms_linear_packed": sums.linear,
    "ms_conv2d": sums.conv2d,
    "ms_conv2d_packed": sums.conv2d,
    "ms_depthwise": sums.conv2d,
    "ms_im2col": sums.im2col,
    "ms_max_pool": sums.pool,
    "ms_sum_pool": sums.pool,
    "ms_or_pool": sums.pool,
    "ms_add": values.pair,
    "ms_mul": values.pair,
    "ms_blend": values.pair,
    "ms_copy": copies.copy,
    "ms_gather": copies.gather,
    "ms_stage": values.stage,
    "ms_table": values.table,
    "ms_softmax": values.softmax,
    "ms_top": values.top,
    "ms_take": values.take,
    "ms_pack": packed.pack,
    "ms_xnor_sums": packed.xnor,
    "ms_xnor_bits": packed.xnor,
    **dict.fromkeys(("ms_small_xnor_sums", "ms_small_xnor_bits"), packed.xnor),
    "ms_conv_u8": packed.conv_u8,
    "ms_conv_u8_sums": packed.conv_u8,
    "ms_depthwise_u8": packed.taps_u8,
    "ms_average_u8": packed.taps_u8,
    "ms_add_u8": packed.add_u8,
    "ms_pad_u8": copies.pad_u8,
    "ms_frame_u8": copies.frame_u8,
    **dict.fromkeys(("ms_small_conv", "ms_small_conv_sums", "ms_small_conv_requant"), small.conv),
    **dict.fromkeys(("ms_small_depthwise", "ms_small_depthwise_requant"), small.depthwise),
    "ms_small_add": packed.add_u8,
    "ms_small_average": packed.taps_u8,
}
"What each kernel computes."


def run(part: Part, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return outputs by name, int64 in the shapes of `part.outputs`, of `inputs` by name.

    Raises AssertionError where a proof does not hold.
    """
    memory: dict[int, np.ndarray] = {}
    for tensor in part.inputs:
        memory[id(tensor)] = np.asarray(inputs[tensor.name], np.int64).ravel()
        _check(tensor, memory[id(tensor)])
    for layer in part.layers:
        operands = [_read(memory, t) for t in layer.inputs]
        root = layer.output.root
        held = memory.setdefault(id(root), np.full(root.size, root.low))
        result = MEANINGS[layer.kernel](layer, operands, held)
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
