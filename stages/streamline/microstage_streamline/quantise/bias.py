"""Correct biases: what quantising adds to the mean of a layer's channel is taken off its bias, layer by layer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set

import numpy as np
import onnx
from onnx import numpy_helper

from microstage_streamline.prove.executors import OriginalModel
from microstage_streamline.quantise.calibration import CalibrationRows
from microstage_streamline.quantise.observe import values

__all__ = ["correct_biases"]

_HELD = 1 << 26  # values of layers' outputs
_LAYERS = ("Conv", "ConvTranspose", "Gemm")


def correct_biases(model: onnx.ModelProto, original: OriginalModel, rows: CalibrationRows, by_rows: Set[str]) -> None:
    """Change int32 biases of `model` so that each channel of a layer has the mean that it has in the float `original`.

    Each layer is run on what the corrected ones before it give. Left out are those whose outputs are not `by_rows`, a
    row of the inputs in each place of the first axis: behind a transpose, or where rows are taken apart.
    """
    file = OriginalModel(model)
    called = {node.name: node.output[0] for node in original.nodes}  # the quantiser renames outputs of the graph
    layers = [layer for layer in _layers(model.graph) if called[layer[0].name] in by_rows]
    outputs = [called[node.name] for node, _ in layers]
    some = _as_many_as_fit(original, rows, outputs)
    wanted = _means(original, some, outputs)
    known = dict(some.arrays)
    for node, dequantiser in layers:
        name = node.output[0]
        program = file.program([name], set(known))
        found = program.run({source: known[source] for source in program.sources})[name]
        axes = tuple(axis for axis in range(found.ndim) if axis != 1)
        error = wanted[called[node.name]] - found.mean(axis=axes, dtype=np.float64)
        bias, scale = (file.constants[stored] for stored in dequantiser.input[:2])
        steps = np.rint(error / scale.astype(np.float64))
        changed = np.clip(bias + steps, -(2**31), 2**31 - 1).astype(np.int32)
        _replace(model.graph, dequantiser.input[0], changed)
        added = ((changed.astype(np.int64) - bias) * scale).astype(np.float32)
        known[name] = found + added.reshape(1, -1, *[1] * (found.ndim - 2))


def _layers(graph: onnx.GraphProto) -> Iterator[tuple[onnx.NodeProto, onnx.NodeProto]]:
    """Yield each layer with the node that dequantises its bias."""
    makers = {node.output[0]: node for node in graph.node if node.op_type == "DequantizeLinear"}
    stored = {tensor.name for tensor in graph.initializer}
    for node in graph.node:
        bias = makers.get(node.input[2]) if node.op_type in _LAYERS and len(node.input) > 2 else None
        if bias is not None and bias.input[0] in stored:
            yield node, bias


def _as_many_as_fit(original: OriginalModel, rows: CalibrationRows, outputs: Sequence[str]) -> CalibrationRows:
    row = values(original, next(rows.parts()), outputs)
    held = sum(value.size for value in row.values()) // min(rows.count, rows.at_once)
    return rows.spread(max(1, _HELD // max(1, held)))


def _means(original: OriginalModel, rows: CalibrationRows, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Return {tensor: mean of each channel}."""
    sums = dict.fromkeys(names, 0.0)
    for some in rows.parts():
        for name, value in values(original, some, names).items():
            sums[name] = sums[name] + value.astype(np.float64).mean(axis=tuple(range(2, value.ndim))).sum(0)
    return {name: total / rows.count for name, total in sums.items()}


def _replace(graph: onnx.GraphProto, name: str, value: np.ndarray) -> None:
    tensor = next(tensor for tensor in graph.initializer if tensor.name == name)
    tensor.CopyFrom(numpy_helper.from_array(value.reshape(tensor.dims), name))
