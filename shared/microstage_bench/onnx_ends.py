"""What an ONNX file says of its ends, and of tensors inside: type, and the scale and zero point beside a quantiser."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx
from onnx import helper, numpy_helper

from microstage_bench.ends import End

__all__ = ["behind", "inputs_of", "macs_and_weights", "outputs_of", "with_batch_of_one", "with_output"]

_MOVES = {"Transpose", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity", "Clip"}


def with_batch_of_one(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the same file for one example at a time, its shapes inferred."""
    copy = onnx.ModelProto.FromString(model.SerializeToString())
    del copy.graph.value_info[:]
    for value in _given(copy.graph):
        value.type.tensor_type.shape.dim[0].dim_value = 1
    for value in copy.graph.output:
        if value.type.tensor_type.shape.dim:
            value.type.tensor_type.shape.dim[0].Clear()
    return onnx.shape_inference.infer_shapes(copy, data_prop=True)


def inputs_of(model: onnx.ModelProto) -> list[End]:
    """Return the inputs of a model `with_batch_of_one`."""
    return [_end(model.graph, value, _read(model.graph, value.name)) for value in _given(model.graph)]


def outputs_of(model: onnx.ModelProto) -> list[End]:
    return [_end(model.graph, value, _written(model.graph, value.name)) for value in model.graph.output]


def with_output(model: onnx.ModelProto, tensor: str) -> onnx.ModelProto | None:
    """Return the same model with `tensor` as its only output, if that is one of its tensors."""
    known = {value.name: value for value in (*model.graph.value_info, *model.graph.output)}
    if tensor not in known or not any(tensor in node.output for node in model.graph.node):
        return None
    copy = onnx.ModelProto.FromString(model.SerializeToString())
    del copy.graph.output[:]
    copy.graph.output.append(known[tensor])
    return copy


def behind(model: onnx.ModelProto, tensor: str) -> list[str]:
    """Return the operators that still compute something between `tensor` and the outputs, in order."""
    reached, found = {tensor}, []
    for node in model.graph.node:
        if reached & {*node.input}:
            reached |= {*node.output}
            found += [node.op_type] if node.op_type not in _MOVES | {"QuantizeLinear", "DequantizeLinear"} else []
    return found


def macs_and_weights(model: onnx.ModelProto) -> tuple[int | None, int]:
    """Return the multiply-accumulates of one example and the weights behind them, of a model `with_batch_of_one`.

    None for the first where the size of a product is known at run time alone.
    """
    shapes = {v.name: _dims(v) for v in (*model.graph.value_info, *model.graph.output, *model.graph.input)}
    shapes |= {i.name: list(i.dims) for i in model.graph.initializer}
    macs, weights, unknown = 0, 0, False
    for node in model.graph.node:
        if node.op_type in ("Conv", "MatMul", "Gemm"):
            kernel, made = shapes.get(node.input[1], []), shapes.get(node.output[0], [])
            if not all((*kernel, *made)) or len(kernel) < 2 or not made:
                unknown = True
                continue
            turned = any(a.name == "transB" and a.i for a in node.attribute)
            each = np.prod(kernel[1:]) if node.op_type == "Conv" or turned else kernel[-2]
            macs, weights = macs + int(np.prod(made) * each), weights + int(np.prod(kernel))
    return None if unknown else macs, weights


def _given(graph: onnx.GraphProto) -> list[onnx.ValueInfoProto]:
    constants = {initializer.name for initializer in graph.initializer}
    return [value for value in graph.input if value.name not in constants]


def _end(graph: onnx.GraphProto, value: onnx.ValueInfoProto, quantiser: onnx.NodeProto | None) -> End:
    dtype = np.dtype(helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type))
    if dtype.kind == "f":
        return End(value.name, tuple(_dims(value)[1:]), dtype)
    constants = {i.name: i for i in graph.initializer}
    scale, zero = 1.0, 0.0
    if quantiser is not None and quantiser.input[1] in constants:
        scale = numpy_helper.to_array(constants[quantiser.input[1]]).astype(np.float64)
        zero = (
            numpy_helper.to_array(constants[quantiser.input[2]]).astype(np.float64) if len(quantiser.input) > 2 else 0.0
        )
    return End(value.name, tuple(_dims(value)[1:]), dtype, scale, zero)


def _dims(value: onnx.ValueInfoProto) -> list[int]:
    return [dim.dim_value for dim in value.type.tensor_type.shape.dim]


def _read(graph: onnx.GraphProto, tensor: str) -> onnx.NodeProto | None:
    """Return the DequantizeLinear that gives `tensor` its meaning, behind whatever moves it."""
    reached = {tensor}
    for node in graph.node:
        if node.input and node.input[0] in reached:
            if node.op_type == "DequantizeLinear":
                return node
            reached |= {*node.output} if node.op_type in _MOVES else set()
    return None


def _written(graph: onnx.GraphProto, tensor: str) -> onnx.NodeProto | None:
    """Return the QuantizeLinear that made `tensor`, before whatever moved it."""
    for node in _before(graph, tensor):
        if node.op_type == "QuantizeLinear":
            return node
    return None


def _before(graph: onnx.GraphProto, tensor: str) -> Iterator[onnx.NodeProto]:
    makers = {output: node for node in graph.node for output in node.output}
    while tensor in makers:
        node = makers[tensor]
        yield node
        if node.op_type not in _MOVES:
            return
        tensor = node.input[0]
