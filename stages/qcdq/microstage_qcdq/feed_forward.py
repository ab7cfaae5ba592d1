"""A network without a recurrent cell: one part, whose integers enter behind its first quantiser or as the definition says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from microstage.errors import ModelError
from microstage.integer import Interpreter, QTensor
from microstage.stage import Job
from microstage_qcdq.border import quantised_range
from microstage_qcdq.graphs import Builder, float_value, int8_value, make_model, subgraph
from microstage_qcdq.proof import prove_entry, session
from microstage_qcdq.reference import run_feed_forward
from microstage_qcdq.stock import in_stock_operators

__all__ = ["FeedForward"]

PART = "model"
_ANSWER = "label"


class FeedForward:
    def __init__(self, model: onnx.ModelProto, described: Mapping[str, Any]) -> None:
        graph = model.graph
        if len(graph.input) != 1 or len(graph.output) != 1:
            raise ModelError(f"The network has {len(graph.input)} inputs and {len(graph.output)} outputs; expected one of each.")
        declared = described.get("inputs", {}).get(graph.input[0].name)
        self.real, self.output, self.curves = graph.input[0].name, graph.output[0].name, {}
        self.units = described.get("units", {})
        self.entry, ends = _entry(graph, self.real, declared)
        self.ranges = {self.entry: ends}
        self.parts = {PART: _part(graph, self.entry, self.output, declared)}
        self.quantiser = None if declared is not None else _cut(graph, self.entry)
        binary = any(node.op_type == "BipolarQuant" for node in graph.node)  # which QCDQ has no operator for
        self.files = {PART: "model_qonnx.onnx" if binary else "model_qcdq.onnx"}
        answer = _answer_to_zeros(self.parts[PART])
        self.answers = isinstance(answer, np.ndarray) and answer.dtype.kind == "i"  # places of the largest scores
        if self.answers and "classes" in described:
            self.ranges[self.output] = (0, len(described["classes"]) - 1)
        kind = TensorProto.INT64 if self.answers else TensorProto.FLOAT
        for end in (graph.output[0], self.parts[PART].graph.output[0]):  # quantisers are no operators that shapes are inferred through
            end.CopyFrom(helper.make_tensor_value_info(self.output, kind, ["B", *answer.shape[1:]]))
        classes = np.unique(answer.scale) if "classes" in described and isinstance(answer, QTensor) else None
        self.composed = in_stock_operators(_composed(graph if declared is None else self.parts[PART].graph, classes))

    def reference(self, recorded: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        return run_feed_forward(self.parts[PART], {self.entry: recorded[self.entry]})

    def prove_further(self, job: Job, reference: Mapping[str, np.ndarray], recorded: Mapping[str, np.ndarray]) -> None:
        """The quantiser that integers enter behind; and how often levels and answers differ when each side runs on by itself."""
        if self.quantiser is not None:
            prove_entry(job, self.quantiser, self.real, recorded[self.real], recorded[self.entry])
        levels = [name for name in reference if self.answers or name != self.output]
        job.metric("free_running.brevitas.levels_differing", {n: int(np.count_nonzero(reference[n] != recorded[n])) for n in levels})
        if self.answers or _ANSWER in (output.name for output in self.composed.graph.output):
            self._report_answers(job, reference, recorded)

    def _report_answers(self, job: Job, reference: Mapping[str, np.ndarray], recorded: Mapping[str, np.ndarray]) -> None:
        scores = reference[self.output]
        exact = scores[:, 0] if self.answers else np.argmax(scores, 1)  # the lowest index of equal ones
        name = self.output if self.answers else _ANSWER
        found = session(self.composed).run([name], {self.composed.graph.input[0].name: recorded[self.real]})[0].reshape(exact.shape)
        real = recorded["real"].astype(bool)
        job.metric("golden.answers", int(real.sum()))
        job.metric("golden.accuracy.reference", float(f"{np.mean((exact == recorded['label'])[real]):.9g}"))
        job.metric("golden.accuracy.composed", float(f"{np.mean((found == recorded['label'])[real]):.9g}"))
        job.metric("free_running.composed.answers_differing", int(np.count_nonzero(found != exact)))


def _entry(graph: onnx.GraphProto, real: str, declared: Mapping[str, Any] | None) -> tuple[str, tuple[int, int]]:
    """(name of the integers that enter, their range)."""
    if declared is not None:
        low, high = declared["range"]
        return real, (int(low), int(high))
    readers = [node for node in graph.node if real in node.input]
    if len(readers) != 1 or readers[0].op_type != "QuantizeLinear":
        reader = readers[0].op_type if readers else "nothing"
        raise ModelError(f"{real} is read by {reader}; expected a quantiser, or its integers in model_def.json.")
    name = readers[0].output[0]
    clip = next((node for node in graph.node if node.op_type == "Clip" and node.input[0] == name), None)
    name = clip.output[0] if clip is not None else name
    return name, quantised_range(graph, name)


def _part(graph: onnx.GraphProto, entry: str, output: str, declared: Mapping[str, Any] | None) -> onnx.ModelProto:
    """Integers in, reals (accumulators at their scale) out, of a shape that is found by running it."""
    nodes, sources = subgraph(graph, output, {entry})
    if sources != [entry]:
        raise ModelError(f"{output} is computed from {', '.join(sources)}; expected {entry} alone.")
    constants = {i.name: numpy_helper.to_array(i) for i in graph.initializer}
    signed = True
    if declared is not None:
        signed = declared["range"][0] < 0
        builder = Builder()
        builder.dequantise(entry, declared["scale"], np.int8 if signed else np.uint8, f"{entry}.real")
        nodes = [*builder.nodes, *(_reading(node, entry, f"{entry}.real") for node in nodes)]
        constants |= builder.initializers
    inputs = [int8_value(entry, _shape(graph), TensorProto.INT8 if signed else TensorProto.UINT8)]
    return make_model(graph.name, nodes, constants, inputs, [float_value(output, ["B"])])


def _cut(graph: onnx.GraphProto, entry: str) -> onnx.ModelProto:
    """The quantiser alone, from the real input to the integers."""
    nodes, _ = subgraph(graph, entry, set())
    constants = {i.name: numpy_helper.to_array(i) for i in graph.initializer}
    return make_model(entry, nodes, constants, [_any_batch(graph.input[0])], [int8_value(entry, _shape(graph))])


def _composed(graph: onnx.GraphProto, class_scale: np.ndarray | None) -> onnx.ModelProto:
    """The whole of `graph` for any batch. Where its outputs are classes at one `class_scale`, `label` is the largest integer's index, the
    lowest of equal ones: rounding takes back what float sums put in, or equal integers would be told apart."""
    output, b = graph.output[0].name, Builder()
    outputs = [graph.output[0]]
    if class_scale is not None and class_scale.size == 1:
        levels = b.add("Div", [output, b.constant(f"{output}.scale", class_scale.astype(np.float32).reshape(()))], f"{output}.levels")
        b.add("ArgMax", [b.add("Round", [levels], f"{output}.integers")], _ANSWER, axis=1, keepdims=0)
        outputs.append(helper.make_tensor_value_info(_ANSWER, TensorProto.INT64, ["B"]))
    constants = {i.name: numpy_helper.to_array(i) for i in graph.initializer}
    return make_model(graph.name, [*graph.node, *b.nodes], {**constants, **b.initializers}, [_any_batch(graph.input[0])], outputs)


def _answer_to_zeros(part: onnx.ModelProto) -> QTensor | np.ndarray:
    """What the part answers to an input of zeros: its shape, and its accumulators' scales."""
    zeros = np.zeros([1, *_shape(part.graph)[1:]], np.int8)
    return Interpreter(part).run({part.graph.input[0].name: zeros})[part.graph.output[0].name]


def _any_batch(value: onnx.ValueInfoProto) -> onnx.ValueInfoProto:
    copy = onnx.ValueInfoProto.FromString(value.SerializeToString())
    copy.type.tensor_type.shape.dim[0].dim_param = "B"
    return copy


def _shape(graph: onnx.GraphProto) -> list:
    """The shape of the graph's input, for any batch."""
    dims = graph.input[0].type.tensor_type.shape.dim
    return ["B", *(dim.dim_value for dim in list(dims)[1:])]


def _reading(node: onnx.NodeProto, old: str, new: str) -> onnx.NodeProto:
    copy = onnx.NodeProto.FromString(node.SerializeToString())
    for index, name in enumerate(copy.input):
        if name == old:
            copy.input[index] = new
    return copy
