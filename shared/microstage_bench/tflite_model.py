"""A `DrawnNetwork` as an int8 .tflite file, by the schema's own object classes: planes become [n, H, W, C], nothing
else changes.

Weights of convolutions carry one scale per output channel, those of dense layers one, as TFLite's own converter writes
them.
"""

from __future__ import annotations

from functools import singledispatchmethod
from types import ModuleType
from typing import Any

import numpy as np

from microstage.errors import ModelError
from microstage_bench.network import (
    AddLayer,
    AverageLayer,
    ConvLayer,
    DenseLayer,
    DrawnNetwork,
    FlattenLayer,
    NetworkLayer,
    Quantity,
)

__all__ = ["channels_first", "channels_last", "write_tflite"]

_SCHEMA_VERSION = 3
# the first version of each operator that takes int8
_INT8_VERSIONS = {
    "CONV_2D": 3,
    "DEPTHWISE_CONV_2D": 3,
    "FULLY_CONNECTED": 4,
    "ADD": 2,
    "AVERAGE_POOL_2D": 2,
    "RESHAPE": 1,
}


def channels_last(tensor: np.ndarray) -> np.ndarray:
    """Turn [n, C, H, W] into [n, H, W, C]; leave [n, features] as it is."""
    return np.ascontiguousarray(np.moveaxis(tensor, 1, -1))


def channels_first(tensor: np.ndarray) -> np.ndarray:
    """Turn [n, H, W, C] back into [n, C, H, W]."""
    return np.ascontiguousarray(np.moveaxis(tensor, -1, 1))


def write_tflite(network: DrawnNetwork) -> bytes:
    """Write the flatbuffer; `ModelError` for a layer that TFLite's int8 kernels have no form for."""
    from ai_edge_litert import schema_py_generated as schema

    return _TfliteWriter(network, schema).file()


class _TfliteWriter:
    def __init__(self, network: DrawnNetwork, schema: ModuleType) -> None:
        self.network, self.schema = network, schema
        self.buffers: list[Any] = [schema.BufferT()]
        self.tensors: list[Any] = []
        self.operators: list[Any] = []
        self.versions: dict[int, int] = {}  # of each operator that occurs, by builtin code
        self.places: dict[str, int] = {}

    def file(self) -> bytes:
        import flatbuffers  # with ai-edge-litert, of the rivals' environment alone

        network, schema = self.network, self.schema
        for name, quantity in network.inputs.items():
            self._value(name, quantity)
        for layer in network.layers:
            self._write(layer)
        graph = schema.SubGraphT()
        graph.name, graph.tensors, graph.operators = network.name, self.tensors, self.operators
        graph.inputs, graph.outputs = [self.places[name] for name in network.inputs], [self.places[network.output]]
        model = schema.ModelT()
        model.version, model.description = _SCHEMA_VERSION, network.name
        model.operatorCodes = [self._code(code) for code in self.versions]
        model.subgraphs, model.buffers = [graph], self.buffers
        builder = flatbuffers.Builder(1 << 20)
        builder.Finish(model.Pack(builder), b"TFL3")
        return bytes(builder.Output())

    @singledispatchmethod
    def _write(self, layer: NetworkLayer) -> None:
        raise ModelError(
            f"{layer.name} ({type(layer).__name__}) has no .tflite form here; ConvLayer, DenseLayer, AddLayer, "
            "AverageLayer and FlattenLayer have."
        )

    @_write.register
    def _(self, layer: ConvLayer) -> None:
        channels = len(layer.weights)
        if layer.depthwise:
            kind, options = "DEPTHWISE_CONV_2D", self.schema.DepthwiseConv2DOptionsT()
            options.depthMultiplier = channels // layer.groups
        elif layer.groups == 1:
            kind, options = "CONV_2D", self.schema.Conv2DOptionsT()
        else:
            raise ModelError(
                f"{layer.name} is a grouped convolution; a .tflite model needs one group, or one per channel."
            )
        options.strideH, options.strideW = layer.stride
        options.padding = self._padding(layer)
        options.fusedActivationFunction = self._activation(layer.output)
        axis = 3 if layer.depthwise else 0
        kernels = np.moveaxis(layer.weights[:, 0], 0, -1)[None] if layer.depthwise else channels_last(layer.weights)
        constants = [self._weights(layer, kernels, layer.scales, axis), self._bias(layer, layer.scales)]
        self._operator(kind, layer, options, *constants)

    @_write.register
    def _(self, layer: DenseLayer) -> None:
        if np.any(layer.scales != layer.scales[0]):
            raise ModelError(
                f"{layer.name} has a weight scale per output; the .tflite model of a dense layer needs one for all."
            )
        options = self.schema.FullyConnectedOptionsT()
        options.fusedActivationFunction = self._activation(layer.output)
        scales = layer.scales[:1]
        self._operator(
            "FULLY_CONNECTED", layer, options, self._weights(layer, layer.weights, scales, 0), self._bias(layer, scales)
        )

    @_write.register
    def _(self, layer: AddLayer) -> None:
        options = self.schema.AddOptionsT()
        options.fusedActivationFunction = self._activation(layer.output)
        self._operator("ADD", layer, options)

    @_write.register
    def _(self, layer: AverageLayer) -> None:
        options = self.schema.Pool2DOptionsT()
        options.padding = self.schema.Padding.VALID
        options.filterHeight, options.filterWidth = self.network.shapes[layer.inputs[0]][1:]
        options.strideH = options.strideW = 1
        self._operator("AVERAGE_POOL_2D", layer, options)

    @_write.register
    def _(self, layer: FlattenLayer) -> None:
        if self.network.shapes[layer.inputs[0]][1:] != (1, 1):
            raise ModelError(f"{layer.name} flattens planes, whose order differs in .tflite; average them first.")
        options = self.schema.ReshapeOptionsT()
        options.newShape = [1, *self.network.shapes[layer.name]]
        self._operator("RESHAPE", layer, options)

    def _operator(self, kind: str, layer: NetworkLayer, options: object, *constants: int) -> None:
        operator, code = self.schema.OperatorT(), getattr(self.schema.BuiltinOperator, kind)
        self.versions.setdefault(code, _INT8_VERSIONS[kind])
        operator.opcodeIndex = list(self.versions).index(code)
        operator.inputs = [*(self.places[name] for name in layer.inputs), *constants]
        operator.outputs = [self._value(layer.name, layer.output)]
        operator.builtinOptions = options
        operator.builtinOptionsType = getattr(self.schema.BuiltinOptions, type(options).__name__.removesuffix("T"))
        self.operators.append(operator)

    def _code(self, builtin: int) -> object:
        code = self.schema.OperatorCodeT()
        code.builtinCode = code.deprecatedBuiltinCode = builtin
        code.version = self.versions[builtin]
        return code

    def _padding(self, layer: ConvLayer) -> int:
        """Choose SAME or VALID, whichever gives the layer's pads; `ModelError` where neither does."""
        pairs = zip(layer.pads[:2], layer.pads[2:])
        if not any(layer.pads):
            return self.schema.Padding.VALID
        plane, kernel = self.network.shapes[layer.inputs[0]][1:], layer.weights.shape[2:]
        for (begin, end), size, taps, stride in zip(pairs, plane, kernel, layer.stride):
            total = max((-(-size // stride) - 1) * stride + taps - size, 0)
            if (begin, end) != (total // 2, total - total // 2):
                raise ModelError(f"{layer.name} is padded by {layer.pads}, which is neither SAME nor VALID.")
        return self.schema.Padding.SAME

    def _activation(self, output: Quantity) -> int:
        kinds = self.schema.ActivationFunctionType
        return kinds.RELU if output.low == output.zero else kinds.NONE

    def _value(self, name: str, quantity: Quantity) -> int:
        channels, *plane = self.network.shapes[name]
        shape = [1, *plane, channels]
        self.places[name] = self._tensor(name, shape, self.schema.TensorType.INT8, 0, [quantity.scale], [quantity.zero])
        return self.places[name]

    def _weights(self, layer: DenseLayer, integers: np.ndarray, scales: np.ndarray, axis: int) -> int:
        return self._constant(f"{layer.name}.weight", integers, self.schema.TensorType.INT8, scales, axis)

    def _bias(self, layer: DenseLayer, scales: np.ndarray) -> int:
        products = np.float32(self.network.quantity(layer.inputs[0]).scale) * scales
        return self._constant(f"{layer.name}.bias", layer.bias.astype("<i4"), self.schema.TensorType.INT32, products, 0)

    def _constant(self, name: str, integers: np.ndarray, kind: int, scales: np.ndarray, axis: int) -> int:
        buffer = self.schema.BufferT()
        buffer.data = np.frombuffer(np.ascontiguousarray(integers).tobytes(), np.uint8)
        self.buffers.append(buffer)
        return self._tensor(
            name, list(integers.shape), kind, len(self.buffers) - 1, [float(s) for s in scales], [0] * len(scales), axis
        )

    def _tensor(
        self, name: str, shape: list[int], kind: int, buffer: int, scales: list[float], zeros: list[int], axis: int = 0
    ) -> int:
        tensor, quantity = self.schema.TensorT(), self.schema.QuantizationParametersT()
        quantity.scale, quantity.zeroPoint, quantity.quantizedDimension = scales, zeros, axis
        tensor.name, tensor.shape, tensor.type, tensor.buffer, tensor.quantization = name, shape, kind, buffer, quantity
        self.tensors.append(tensor)
        return len(self.tensors) - 1
