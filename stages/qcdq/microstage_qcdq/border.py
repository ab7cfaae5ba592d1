"""The parts' borders: which tensor carries on which, and the integers that each can hold."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx

from microstage.errors import ModelError
from microstage.signals.gain import LARGEST
from microstage_qcdq.graphs import constant

__all__ = ["border_ranges", "quantised_range"]

# Input of a part -> the output, of another part or of the step before, that is fed to it.
_FED_BY = {"features_t": "features", "hidden": "hidden_next", "cell": "cell_next"}


def border_ranges(parts: Mapping[str, onnx.ModelProto]) -> dict[str, tuple[int, int]]:
    """(lowest, highest) integer of every quantised input and output, by tensor name, from the quantisers' own bounds."""
    ranges = {"window": (-LARGEST, LARGEST)}
    for model in parts.values():
        for output in model.graph.output:
            if output.type.tensor_type.elem_type != onnx.TensorProto.FLOAT:
                ranges[output.name] = quantised_range(model.graph, output.name)
    return ranges | {taken: ranges[given] for taken, given in _FED_BY.items()}


def quantised_range(graph: onnx.GraphProto, name: str) -> tuple[int, int]:
    """(lowest, highest) integer of what a quantiser writes."""
    maker = next(node for node in graph.node if name in node.output)
    if maker.op_type == "QuantizeLinear":
        limits = np.iinfo(constant(graph, maker.input[2]).dtype)
        return int(limits.min), int(limits.max)
    if maker.op_type == "Clip":
        return int(constant(graph, maker.input[1])), int(constant(graph, maker.input[2]))
    raise ModelError(f"{name} is made by {maker.op_type}; expected a quantiser.")
