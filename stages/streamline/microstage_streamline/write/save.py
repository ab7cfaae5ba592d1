"""Save an integer graph, so that equal graphs are equal bytes."""

from __future__ import annotations

from pathlib import Path

from qonnx.core.modelwrapper import ModelWrapper

from microstage.errors import ModelError

__all__ = ["save"]


def save(model: ModelWrapper, path: Path) -> None:
    """Write a model, sorted where ONNX has no order so that equal graphs are equal bytes; refuse real operators."""
    forbidden = [
        n.op_type for n in model.graph.node if n.op_type in ("Sigmoid", "Tanh", "BatchNormalization", "Div", "Quant")
    ]
    if forbidden:
        raise ModelError(f"{path.name} still computes real numbers: {', '.join(forbidden)}.")
    graph = model.graph
    for field in (graph.initializer, graph.value_info):
        ordered = sorted(field, key=lambda entry: entry.name)
        del field[:]
        field.extend(ordered)
    ordered = sorted(graph.quantization_annotation, key=lambda entry: entry.tensor_name)
    del graph.quantization_annotation[:]
    graph.quantization_annotation.extend(ordered)
    model.model.producer_name = "microstage"
    path.write_bytes(model.model.SerializeToString(deterministic=True))
