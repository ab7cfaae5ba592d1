"""A .tflite file by the schema's own object classes: its ends, and whether it ends in a softmax that integers end
before.
"""

from __future__ import annotations

import struct
from typing import Any

import flatbuffers
import numpy as np

from microstage.errors import ModelError
from microstage_bench.ends import End

__all__ = ["closing_softmax", "ends_of_tflite", "macs_and_weights", "read_tflite", "without_softmax"]


def ends_of_tflite(file: bytes) -> tuple[list[End], list[End]]:
    """Return (inputs, outputs); `ModelError` for bytes that are no .tflite file."""
    graph = read_tflite(file).subgraphs[0]
    return [_end(graph.tensors[i]) for i in graph.inputs], [_end(graph.tensors[i]) for i in graph.outputs]


def closing_softmax(file: bytes) -> int:
    """Return how many values the softmax has that the file ends in; 0 where it ends otherwise."""
    model = read_tflite(file)
    graph, operator = model.subgraphs[0], _closing(model)
    return int(np.prod(graph.tensors[operator.outputs[0]].shape)) if operator is not None else 0


def macs_and_weights(file: bytes) -> tuple[int, int]:
    """Return the multiply-accumulates of one example and the weights behind them."""
    from ai_edge_litert import schema_py_generated as schema

    model, kinds = read_tflite(file), schema.BuiltinOperator
    graph, macs, weights = model.subgraphs[0], 0, 0
    channels = {kinds.CONV_2D: 0, kinds.FULLY_CONNECTED: 0, kinds.DEPTHWISE_CONV_2D: 3, kinds.TRANSPOSE_CONV: 0}
    for operator in graph.operators:
        code = model.operatorCodes[operator.opcodeIndex]
        axis = channels.get(max(code.builtinCode, code.deprecatedBuiltinCode))
        if axis is not None:
            kernel, made = graph.tensors[operator.inputs[1]].shape, graph.tensors[operator.outputs[0]].shape
            macs += int(np.prod(made) * np.prod(kernel) // kernel[axis])
            weights += int(np.prod(kernel))
    return macs, weights


def without_softmax(file: bytes) -> bytes:
    """Return the same network up to what its closing softmax takes; the file itself where it ends in none."""
    model = read_tflite(file)
    graph, operator = model.subgraphs[0], _closing(model)
    if operator is None:
        return file
    graph.outputs = [operator.inputs[0]]
    graph.operators.remove(operator)
    model.signatureDefs = None  # they name the output that is gone
    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def read_tflite(file: bytes) -> Any:
    """Return the file as the schema's own objects; `ModelError` for bytes that are no .tflite file."""
    from ai_edge_litert import schema_py_generated as schema

    try:
        if file[4:8] == b"TFL3":
            return schema.ModelT.InitFromPackedBuf(file, 0)
    except (struct.error, IndexError, ValueError, TypeError):  # what offsets beyond its end come to
        pass
    raise ModelError("TFLITE= is no whole .tflite file.")


def _closing(model: Any) -> Any:
    """Return the operator SOFTMAX that makes the only output, or None."""
    from ai_edge_litert import schema_py_generated as schema

    graph = model.subgraphs[0]
    for operator in graph.operators:
        code = model.operatorCodes[operator.opcodeIndex]
        if max(code.builtinCode, code.deprecatedBuiltinCode) == schema.BuiltinOperator.SOFTMAX and [
            *operator.outputs
        ] == [*graph.outputs]:
            return operator
    return None


def _end(tensor: Any) -> End:
    from ai_edge_litert import schema_py_generated as schema

    types = {
        getattr(schema.TensorType, name.upper()): getattr(np, name) for name in ("int8", "uint8", "int16", "float32")
    }
    if tensor.type not in types:
        raise ModelError(
            f"The .tflite file has an end of TensorType {tensor.type}; expected int8, uint8, int16 or float32."
        )
    shape, kind, quantised = tuple(int(n) for n in tensor.shape[1:]), np.dtype(types[tensor.type]), tensor.quantization
    name = tensor.name.decode() if isinstance(tensor.name, bytes) else tensor.name
    if kind.kind == "f":
        return End(name, shape, kind)
    return End(name, shape, kind, float(quantised.scale[0]), float(quantised.zeroPoint[0]))
