"""Bring a float network into the form that onnxruntime's quantiser does best with; every tensor keeps its meaning."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper, shape_inference

from microstage.errors import ModelError
from microstage.untrusted.exceptions import translated
from microstage_streamline.read.known_operators import CUSTOM
from microstage_streamline.read.opset import raised

__all__ = ["float_form", "name_nodes", "narrowed", "stored"]

_BIASED = ("Conv", "ConvTranspose", "Gemm")
_NARROWED = (TensorProto.FLOAT16, TensorProto.DOUBLE)


def float_form(model: onnx.ModelProto, opset: int, scratch: Path) -> onnx.ModelProto:
    """Return `model` in float32 and opset 13 at least: batch norms folded into convolutions, constants stored, no
    identities, a bias of its own for each layer, a name for each node.
    """
    model = _in_float32(raised(model, opset, CUSTOM))
    name_nodes(model.graph)
    model = _optimised(model, scratch)
    name_nodes(model.graph)
    _store_constants(model.graph)
    _give_biases(model.graph)
    with translated(lambda said: ModelError(f"The shapes of the network cannot be inferred: {said}.")):
        return shape_inference.infer_shapes(model, data_prop=True)


def stored(graph: onnx.GraphProto) -> dict[str, np.ndarray]:
    """Return the constants of a graph."""
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}


def narrowed(model: onnx.ModelProto) -> bool:
    """Tell whether a model computes in float16 or float64."""
    return any(tensor.data_type in _NARROWED for tensor in model.graph.initializer)


def _in_float32(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model with float32 in place of float16 and float64."""
    copy = onnx.ModelProto.FromString(model.SerializeToString())
    for value in (*copy.graph.input, *copy.graph.output):
        if value.type.tensor_type.elem_type in _NARROWED:
            value.type.tensor_type.elem_type = TensorProto.FLOAT
    held = [attribute.t for node in copy.graph.node for attribute in node.attribute if attribute.HasField("t")]
    for tensor in (*copy.graph.initializer, *held):
        if tensor.data_type in _NARROWED:
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float32), tensor.name))
    for node in copy.graph.node:
        for attribute in node.attribute:
            if node.op_type == "Cast" and attribute.name == "to" and attribute.i in _NARROWED:
                attribute.i = TensorProto.FLOAT
    del copy.graph.value_info[:]
    return copy


def _optimised(model: onnx.ModelProto, scratch: Path) -> onnx.ModelProto:
    """Return what onnxruntime makes of a model at its first level: ONNX's own operators, fewer of them."""
    scratch.mkdir(parents=True, exist_ok=True)
    path = scratch / "optimised.onnx"
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(path)
    options.log_severity_level, options.intra_op_num_threads = 4, 1
    with translated(lambda said: ModelError(f"onnxruntime {onnxruntime.__version__} cannot run the network: {said}.")):
        onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        found = onnx.load(path)
    used = {node.domain for node in found.graph.node}
    opsets = [opset for opset in found.opset_import if opset.domain in used]
    del found.opset_import[:]  # onnxruntime lists every domain that it knows, which an older one refuses
    found.opset_import.extend(opsets)
    return found


def name_nodes(graph: onnx.GraphProto) -> None:
    """Give each node a name of its own."""
    taken = {node.name for node in graph.node}
    seen: set[str] = set()
    for node in graph.node:
        if not node.name or node.name in seen:
            stem = node.name or "node"
            node.name = next(name for name in (f"{stem} {k}" for k in itertools.count()) if name not in taken)
            taken.add(node.name)
        seen.add(node.name)


def _store_constants(graph: onnx.GraphProto) -> None:
    """Store what Constant nodes hold."""
    nodes = [node for node in graph.node if node.op_type == "Constant"]
    for node in nodes:
        (attribute,) = node.attribute
        value = attribute.t if attribute.HasField("t") else None
        if value is not None:
            kept = TensorProto.FromString(value.SerializeToString())
            kept.name = node.output[0]
            graph.initializer.append(kept)
            graph.node.remove(node)


def _give_biases(graph: onnx.GraphProto) -> None:
    """Give each layer a bias of its own, a number for each channel: zeros where it has none, a Gemm's times beta."""
    constants = stored(graph)
    for node in graph.node:
        bias = node.input[2] if len(node.input) > 2 else ""
        if node.op_type not in _BIASED or node.input[1] not in constants or bias and bias not in constants:
            continue
        value, channels = constants[bias] if bias else np.zeros(1, np.float32), _channels(node, constants)
        if value.size not in (1, channels):
            continue
        beta = next((attribute for attribute in node.attribute if attribute.name == "beta"), None)
        if beta is not None:
            value = value * np.float32(beta.f)
            node.attribute.remove(beta)
        name = f"{node.output[0]}.bias"
        graph.initializer.append(numpy_helper.from_array(np.broadcast_to(value.ravel(), channels).copy(), name))
        del node.input[2:]
        node.input.append(name)


def _channels(node: onnx.NodeProto, constants: Mapping[str, np.ndarray]) -> int:
    flags = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    shape = constants[node.input[1]].shape
    if node.op_type == "ConvTranspose":
        return shape[1] * flags.get("group", 1)
    return shape[0] if node.op_type == "Conv" or flags.get("transB") else shape[1]
