"""Count the memory of thresholds: as FINN keeps them, and as the smallest form that is proven to be the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import onnx
from qonnx.core.modelwrapper import ModelWrapper

from microstage.integer.interpreter import attributes
from microstage.integer.ranges import Range, node_range, of_type
from microstage.requantise import Search, bits, compact

__all__ = ["searches", "threshold_memory"]

_CHANNELS_LAST = ("NHWC", "NWC")


def threshold_memory(model: ModelWrapper, ends: Mapping[str, tuple[int, int]]) -> dict[str, int]:
    """Return {"as_finn_keeps_them", "as_compact_forms"}, in bits, of all MultiThreshold nodes of an integer graph.

    `ends` of each input. FINN keeps a row for each channel, each threshold as wide as what is compared with it. Compact
    forms are those of `microstage.requantise`, equal at every integer that can come.
    """
    kept = compacted = 0
    for compared, search, low, high in searches(model, ends):
        kept += low.size * search.thresholds.shape[1] * model.get_tensor_datatype(compared).bitwidth()
        compacted += bits(compact(search, low, high, tables=True))
    return {"as_finn_keeps_them": int(kept), "as_compact_forms": int(compacted)}


def searches(
    model: ModelWrapper, ends: Mapping[str, tuple[int, int]]
) -> Iterator[tuple[str, Search, np.ndarray, np.ndarray]]:
    """Yield what each MultiThreshold node compares, its thresholds, and the least and greatest integer per channel."""
    constants = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    known = {
        value.name: of_type(model.get_tensor_shape(value.name), *ends[value.name])
        for value in model.graph.input
        if value.name in ends
    }
    for node in model.graph.node:
        known |= node_range(node, known, constants)
        if node.op_type == "MultiThreshold":
            said, thresholds = attributes(node), np.sort(constants[node.input[1]], axis=1)
            search = Search(
                np.ceil(thresholds).astype(np.int64), int(said.get("out_scale", 1)), int(said.get("out_bias", 0))
            )
            yield node.input[0], search, *_by_channel(node, known[node.input[0]])


def _by_channel(node: onnx.NodeProto, reach: Range) -> tuple[np.ndarray, np.ndarray]:
    """Return the least and the greatest integer of each channel, int64 [channels]."""
    last = attributes(node).get("data_layout", "NCHW") in _CHANNELS_LAST or reach.low.ndim < 2
    axis = reach.low.ndim - 1 if last else 1
    low, high = (np.moveaxis(end, axis, -1).reshape(-1, end.shape[axis]) for end in (reach.low, reach.high))
    return low.min(axis=0), high.max(axis=0)
