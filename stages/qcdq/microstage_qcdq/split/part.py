"""One part of the network: the nodes between tensors where integers enter and tensors that come out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto, helper

from microstage.errors import ModelError
from microstage.integer import Interpreter, QTensor
from microstage_qcdq.graph.build import PartBuilder, constants, float_value, make_model, reading, subgraph
from microstage_qcdq.split.entries import IntegerInput

__all__ = ["PartInput", "answers_to_zeros", "answering_part", "part_input", "part_of"]


@dataclass(frozen=True)
class PartInput:
    """An input of a part: the integers `value`.

    Where there is a `scale`, scale * integer is `tensor` of the graph; else the integers are it.
    """

    tensor: str
    value: onnx.ValueInfoProto
    scale: float | None


def part_input(entry: IntegerInput) -> PartInput:
    """Return the integers of `entry` as what a part takes."""
    return PartInput(entry.name, entry.value, entry.scale)


def part_of(
    graph: onnx.GraphProto, name: str, outputs: list[onnx.ValueInfoProto], possible: Iterable[PartInput]
) -> onnx.ModelProto:
    """Return the part that computes `outputs` from those of the `possible` inputs that they need.

    `ModelError` if they need anything else.
    """
    known = {taken.tensor: taken for taken in possible}
    nodes, sources = subgraph(graph, [value.name for value in outputs], known)
    if foreign := [source for source in sources if source not in known]:
        raise ModelError(
            f"{outputs[0].name} is computed from {', '.join(foreign)}; expected {' and '.join(sorted(known))} alone."
        )
    builder = PartBuilder()
    renamed: dict[str, str] = {}
    taken = [one for tensor, one in known.items() if tensor in sources]
    values = {one.value.name: one.value for one in taken}  # two tensors may be the same integers
    for one in taken:
        if one.scale is not None and f"{one.value.name}.real" in renamed.values():
            renamed[one.tensor] = f"{one.value.name}.real"
        elif one.scale is not None:
            kind = helper.tensor_dtype_to_np_dtype(one.value.type.tensor_type.elem_type).type
            renamed[one.tensor] = builder.dequantise(one.value.name, one.scale, kind, f"{one.value.name}.real")
    nodes = [*builder.nodes, *(reading(node, renamed) for node in nodes)]
    return make_model(name, nodes, {**constants(graph), **builder.initializers}, list(values.values()), outputs)


def answering_part(
    graph: onnx.GraphProto,
    name: str,
    answers: Iterable[str],
    possible: Iterable[PartInput],
    beside: Iterable[onnx.ValueInfoProto] = (),
) -> onnx.ModelProto:
    """Return the part that computes those `answers` of the graph, and the outputs `beside` them.

    Answers are reals (accumulators at their scale), or integers where an answer is a place. Their shapes are found by
    running the part: quantisers are no operators that shapes are inferred through.
    """
    part = part_of(graph, name, [*beside, *(float_value(answer, ["B"]) for answer in answers)], possible)
    found = answers_to_zeros(part)
    for value in part.graph.output:
        if value.name in answers:
            answer = found[value.name]
            place = not isinstance(answer, QTensor) and answer.dtype.kind == "i"
            kind, shape = TensorProto.INT64 if place else TensorProto.FLOAT, answer.shape[1:]
            value.CopyFrom(helper.make_tensor_value_info(value.name, kind, ["B", *shape]))
    return part


def answers_to_zeros(part: onnx.ModelProto) -> dict[str, QTensor | np.ndarray]:
    """Return the part's outputs for inputs of zeros, which tell their shapes and their accumulators' scales."""
    zeros = {}
    for value in part.graph.input:
        kind = value.type.tensor_type
        zeros[value.name] = np.zeros(
            [dim.dim_value or 1 for dim in kind.shape.dim], helper.tensor_dtype_to_np_dtype(kind.elem_type)
        )
    return Interpreter(part).run(zeros)
