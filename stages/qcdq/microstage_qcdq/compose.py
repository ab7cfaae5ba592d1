"""One model that stock onnxruntime runs from a waveform to amplitudes: gain, CNN, a Scan over the step, heads."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
from onnx import TensorProto, helper

from microstage.signals.gain import EXPONENTS, LARGEST, WINDOW_SCALE
from microstage_qcdq.graphs import Builder, float_value, make_model

__all__ = ["compose"]


def compose(parts: Mapping[str, onnx.ModelProto]) -> onnx.ModelProto:
    """waveform [B, N] float32 in the recording's unit -> amplitudes [B, 4] in the same unit."""
    b = Builder()
    gain = _block_float(b)
    cnn = _inlined(b, parts["cnn"], {}, "")
    width = _width(parts["lstm"])
    batch = b.add("Shape", ["waveform"], "batch.shape")
    batch = b.add("Slice", [batch, b.constant("zero", np.int64([0])), b.constant("one", np.int64([1]))], "batch")
    shape = b.add("Concat", [batch, b.constant("hidden.width", np.int64([width]))], "state.shape", axis=0)
    zeros = b.add("ConstantOfShape", [shape], "state.zero", value=helper.make_tensor("value", TensorProto.INT8, [1], [0]))
    by_time = b.add("Transpose", [cnn["features"]], "features.by_time", perm=[1, 0, 2])
    b.nodes.append(helper.make_node(
        "Scan", [zeros, zeros, by_time], ["hidden.last", "cell.last"], name="Scan_lstm",
        body=_body(b, parts["lstm"]), num_scan_inputs=1,
    ))
    mlp = _inlined(b, parts["mlp"], {"hidden": "hidden.last"}, "mlp.")
    b.add("Mul", [mlp["harmonics"], gain], "amplitudes")
    samples = parts["cnn"].graph.input[0].type.tensor_type.shape.dim[-1].dim_value
    outputs = [float_value("amplitudes", ["B", 4])]
    return make_model("harmonic", b.nodes, b.initializers, [float_value("waveform", ["B", samples])], outputs)


def _block_float(b: Builder) -> str:
    """`window` int8 [B, 1, N] from `waveform`; returns the gain 2^e [B, 1], exact: e counts the powers below the peak."""
    low, high = EXPONENTS
    powers = np.ldexp(np.float32(1), np.arange(low, high + 1)).astype(np.float32)
    peak = b.add("Abs", ["waveform"], "waveform.size")
    peak = b.add("ReduceMax", [peak], "peak", axes=[1], keepdims=1)
    above = b.add("Greater", [peak, b.constant("gain.powers", powers[:-1])], "gain.above")
    above = b.add("Cast", [above], "gain.counted", to=TensorProto.INT32)
    index = b.add("ReduceSum", [above, b.constant("gain.axis", np.int64([1]))], "gain.index", keepdims=1)
    gain = b.add("Gather", [b.constant("gain.table", powers), index], "gain", axis=0)
    scaled = b.add("Div", ["waveform", gain], "waveform.scaled")
    ints = b.quantise(scaled, WINDOW_SCALE, -LARGEST, LARGEST, "window.flat")
    b.add("Unsqueeze", [ints, b.constant("one", np.int64([1]))], "window")
    return gain


def _inlined(b: Builder, part: onnx.ModelProto, renamed: dict[str, str], prefix: str) -> dict[str, str]:
    """Append a part's nodes, its tensors prefixed; {graph output: tensor}."""
    own = {o for node in part.graph.node for o in node.output} | {i.name for i in part.graph.initializer}
    for initializer in part.graph.initializer:
        b.constant(prefix + initializer.name, onnx.numpy_helper.to_array(initializer))
    for node in part.graph.node:
        copy = onnx.NodeProto.FromString(node.SerializeToString())
        copy.name = prefix + node.name
        for names in (copy.input, copy.output):
            for index, name in enumerate(names):
                names[index] = renamed.get(name, prefix + name if name in own else name)
        b.nodes.append(copy)
    return {o.name: prefix + o.name for o in part.graph.output}


def _body(b: Builder, step: onnx.ModelProto) -> onnx.GraphProto:
    """The step as the body of a Scan: states first, then the element of the sequence."""
    inputs = {i.name: i for i in step.graph.input}
    outputs = {o.name: o for o in step.graph.output}
    return helper.make_graph(
        list(step.graph.node), "lstm_step", [inputs[n] for n in ("hidden", "cell", "features_t")],
        [outputs[n] for n in ("hidden_next", "cell_next")], list(step.graph.initializer),
    )


def _width(step: onnx.ModelProto) -> int:
    return next(i for i in step.graph.input if i.name == "hidden").type.tensor_type.shape.dim[-1].dim_value
