"""One model that stock onnxruntime runs from real inputs to real answers.

Gain, quantisers, encoder, a Scan over the step, head, gain.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper

from microstage.integer import QTensor
from microstage.interface.recurrence import Recurrence
from microstage.models.definition import ModelDeclaration
from microstage_qcdq.compose.gain import block_float
from microstage_qcdq.graph.build import PartBuilder, float_value, make_model
from microstage_qcdq.graph.inlining import inlined, zeros
from microstage_qcdq.graph.onnxruntime_operators import in_stock_operators
from microstage_qcdq.split.entries import IntegerInput, QuantisedInput, WindowInput, any_batch
from microstage_qcdq.split.part import answers_to_zeros

__all__ = ["ANSWER", "compose"]

ANSWER = "label"


def compose(
    name: str,
    parts: Mapping[str, onnx.ModelProto],
    sequence: Recurrence | None,
    entries: Sequence[IntegerInput],
    graph: onnx.GraphProto,
    declared: ModelDeclaration,
) -> onnx.ModelProto:
    """Put the `parts` of `graph` together for any batch, in operators that stock onnxruntime has.

    Inputs are the graph's, or the real window that a gain is taken of; outputs the graph's, times the gain. Where the
    answers are classes at one scale, `label` is the index of the largest integer, the lowest of equal ones. A window
    with a sample that is no number, or beyond the gain's range, is answered by no numbers, and the label -1.
    """
    b, inputs = PartBuilder(), []
    factor = None
    for entry, value in zip(entries, graph.input):
        if isinstance(entry, WindowInput):
            factor = block_float(b, entry)
            inputs.append(float_value(entry.gain.inputs[entry.real], ["B", int(np.prod(entry.shape[1:]))]))
        elif isinstance(entry, QuantisedInput):
            inputs.append(any_batch(value))
            inlined(b, entry.quantiser, {}, "")
        else:
            inputs.append(entry.value)
    *_, last = parts.values()
    found = inlined(b, last, {}, "") if sequence is None else _stepped(b, parts, sequence, inputs[0].name)
    outputs = _answers(b, found, last, factor, declared)
    return in_stock_operators(make_model(name, b.nodes, b.initializers, inputs, outputs))


def _answers(
    b: PartBuilder,
    found: Mapping[str, str],
    last: onnx.ModelProto,
    factor: str | None,
    declared: ModelDeclaration,
) -> list[onnx.ValueInfoProto]:
    """Return the graph's outputs: those of the `last` part, times the gain `factor`, and the class."""
    outputs, gain = [], declared.gain
    for value in last.graph.output:
        copy = onnx.ValueInfoProto.FromString(value.SerializeToString())
        copy.name = found[value.name]
        if gain is not None and value.name in gain.outputs:
            copy.name = b.add("Mul", [found[value.name], f"{factor}.or_none"], gain.outputs[value.name])
        outputs.append(copy)
    (answer,) = answers_to_zeros(last).values()
    scale = np.unique(answer.scale) if declared.classes and isinstance(answer, QTensor) else np.empty(0)
    if scale.size == 1:  # rounding takes back what float sums put in, or equal integers would be told apart
        output = found[last.graph.output[0].name]
        levels = b.add(
            "Div", [output, b.constant(f"{output}.scale", scale.astype(np.float32).reshape(()))], f"{output}.levels"
        )
        first = ANSWER if factor is None else f"{ANSWER}.any"
        b.add("ArgMax", [b.add("Round", [levels], f"{output}.integers")], first, axis=1, keepdims=0)
        if factor is not None:
            held = b.add("Squeeze", [f"{factor}.held", b.constant("gain.axis", np.int64([1]))], f"{ANSWER}.held")
            b.add("Where", [held, first, b.constant(f"{ANSWER}.none", np.int64(-1))], ANSWER)
        outputs.append(helper.make_tensor_value_info(ANSWER, TensorProto.INT64, ["B"]))
    return outputs


def _stepped(b: PartBuilder, parts: Mapping[str, onnx.ModelProto], sequence: Recurrence, first: str) -> dict[str, str]:
    """Append encoder, a Scan over the cell from states of zero, and head; return {output of the head: tensor}."""
    if sequence.encoder:
        inlined(b, parts[sequence.encoder], {}, "")
    cell = parts[sequence.cell]
    batch = b.add("Shape", [first], "batch.shape")
    batch = b.add("Slice", [batch, b.constant("zero", np.int64([0])), b.constant("one", np.int64([1]))], "batch")
    given = {value.name: value for value in cell.graph.input}
    first_states = [zeros(b, given[state], batch) for state in sequence.states]
    by_time = [b.add("Transpose", [source], f"{source}.by_time", perm=[1, 0, 2]) for source in sequence.steps.values()]
    after = {state: f"{state}.last" for state in sequence.states}
    b.nodes.append(
        helper.make_node(
            "Scan",
            [*first_states, *by_time],
            list(after.values()),
            body=_body(cell, sequence),
            num_scan_inputs=len(by_time),
        )
    )
    return inlined(b, parts[sequence.parts[-1]], {name: after[state] for name, state in sequence.last.items()}, "head.")


def _body(cell: onnx.ModelProto, sequence: Recurrence) -> onnx.GraphProto:
    """Return the step as the body of a Scan: states first, then the element of each sequence."""
    given, made = ({value.name: value for value in side} for side in (cell.graph.input, cell.graph.output))
    return helper.make_graph(
        list(cell.graph.node),
        "step",
        [given[name] for name in (*sequence.states, *sequence.steps)],
        [made[name] for name in sequence.states.values()],
        list(cell.graph.initializer),
    )
