"""From the exported model to a network in parts: convert its quantisers, and cut it at its LSTM layers."""

from __future__ import annotations

import onnx

from microstage.errors import ModelError
from microstage.interface.lstm_node import OPERATOR
from microstage.models.definition import FILE, ModelDeclaration
from microstage_qcdq.convert.activations import ConvertActivationQuant
from microstage_qcdq.convert.any_batch import AnyBatch
from microstage_qcdq.convert.weights import FoldWeightQuant
from microstage_qcdq.convert.whole_constants import WholeConstants
from microstage_qcdq.network import NetworkParts
from microstage_qcdq.one_call import OneCallParts
from microstage_qcdq.split.entries import IntegerInput, entries_of
from microstage_qcdq.split.part import answering_part, part_input
from microstage_qcdq.split.split import Split, split
from microstage_qcdq.step_by_step import SteppedParts

__all__ = ["network_of"]


def network_of(model: onnx.ModelProto, declared: ModelDeclaration) -> NetworkParts:
    """Return the exported `model` in parts; `ModelError` for one that QCDQ cannot carry."""
    graph = _converted(model).graph
    if len(graph.output) != 1 and declared.step is None:
        raise ModelError(f"The network has {len(graph.output)} outputs; expected one.")
    entries = entries_of(graph, declared)
    steps = any(node.op_type == OPERATOR for node in graph.node)
    found = split(graph, entries, declared) if steps else _whole(graph, entries)
    if declared.step is None:
        return OneCallParts(graph, found, entries, declared)
    if found.sequence is None:
        raise ModelError(f"{FILE} carries states from step to step, and the network has no LSTM that is stepped.")
    return SteppedParts(graph, found, found.sequence, entries, declared, declared.step)


def _converted(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return `model` with its quantisers in QCDQ form, for any batch."""
    for transformation in (AnyBatch(), FoldWeightQuant(), ConvertActivationQuant(), WholeConstants()):
        model, _ = transformation.apply(model)
    return model


def _whole(graph: onnx.GraphProto, entries: list[IntegerInput]) -> Split:
    """Return the network in one piece; it stays QONNX where a quantiser has no operator in QCDQ."""
    further = any(node.op_type in ("BipolarQuant", "MultiThreshold", "Quant") for node in graph.node)
    name = "model_qonnx" if further else "model_qcdq"
    answers = [output.name for output in graph.output]
    part = answering_part(graph, graph.name, answers, [part_input(entry) for entry in entries])
    return Split({name: part}, None, {entry.name: entry.ends for entry in entries}, {})
