"""A `DrawnNetwork` as QDQ ONNX (opset 13): every tensor quantised and dequantised, weights int8, biases int32; QCDQ
where a range is narrower.

ConvLayer, Gemm, AddLayer and pools stand between DequantizeLinear and QuantizeLinear, which is the form that runtimes
fuse into integer kernels and that the C generator reads. A quantity narrower than its type (3 bits, 1 bit) gets a Clip
of integers behind QuantizeLinear.
"""

from __future__ import annotations

from functools import singledispatchmethod

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from microstage_bench import network as nets

__all__ = ["write_onnx"]


def write_onnx(network: nets.DrawnNetwork, batch: int = 1) -> onnx.ModelProto:
    """Write the network from int8 to int8."""
    return _OnnxWriter(network).model(batch)


class _OnnxWriter:
    def __init__(self, network: nets.DrawnNetwork) -> None:
        self.network = network
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def model(self, batch: int) -> onnx.ModelProto:
        network = self.network
        for name, quantity in network.inputs.items():
            self._dequantise(name, quantity)
        for layer in network.layers:
            self._write(layer)
        ends = [self._end(name, batch) for name in (*network.inputs, network.output)]
        self.nodes.pop()  # nobody reads the real values of the output
        graph = helper.make_graph(self.nodes, network.name, ends[:-1], ends[-1:], self.constants)
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8, producer_name="microstage"
        )
        onnx.checker.check_model(model, full_check=True)
        return model

    def _end(self, name: str, batch: int) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.INT8, [batch, *self.network.shapes[name]])

    @singledispatchmethod
    def _write(self, layer: nets.NetworkLayer) -> None:
        raise NotImplementedError(type(layer).__name__)

    @_write.register
    def _(self, layer: nets.ConvLayer) -> None:
        stride, pads = list(layer.stride), list(layer.pads)
        weights = [self._weights(layer, layer.weights, 0), self._bias(layer)]
        self._operator(
            "Conv", layer, *weights, kernel_shape=layer.weights.shape[2:], strides=stride, pads=pads, group=layer.groups
        )

    @_write.register
    def _(self, layer: nets.DenseLayer) -> None:
        self._operator("Gemm", layer, self._weights(layer, np.ascontiguousarray(layer.weights.T), 1), self._bias(layer))

    @_write.register
    def _(self, layer: nets.AddLayer) -> None:
        self._operator("Add", layer)

    @_write.register
    def _(self, layer: nets.AverageLayer) -> None:
        self._operator("GlobalAveragePool", layer)

    @_write.register
    def _(self, layer: nets.MaximumLayer) -> None:
        self._operator("MaxPool", layer, kernel_shape=[2, 2], strides=[2, 2])

    @_write.register
    def _(self, layer: nets.FlattenLayer) -> None:
        self._node("Flatten", [*layer.inputs], layer.name, axis=1)  # of integers: nothing to compute
        self._dequantise(layer.name, layer.output)

    def _operator(self, kind: str, layer: nets.NetworkLayer, *constants: str, **attributes) -> None:
        """Add `kind` on real values, then quantise to the layer's output and dequantise again."""
        real = f"{layer.name}.real"
        self._node(kind, [*(f"{name}.value" for name in layer.inputs), *constants], real, **attributes)
        quantised, quantity = f"{layer.name}.wide" if layer.output.narrow else layer.name, layer.output
        self._node("QuantizeLinear", [real, *self._parameters(layer.name, quantity)], quantised)
        if quantity.narrow:
            ends = [
                self._constant(f"{layer.name}.{end}", np.array(value, np.int8))
                for end, value in (("low", quantity.low), ("high", quantity.high))
            ]
            self._node("Clip", [quantised, *ends], layer.name)
        self._dequantise(layer.name, quantity)

    def _dequantise(self, name: str, quantity: nets.Quantity) -> None:
        self._node("DequantizeLinear", [name, *self._parameters(name, quantity)], f"{name}.value")

    def _parameters(self, name: str, quantity: nets.Quantity) -> list[str]:
        zero = np.array(quantity.zero, np.int8)
        return [self._constant(f"{name}.scale", np.float32(quantity.scale)), self._constant(f"{name}.zero", zero)]

    def _weights(self, layer: nets.DenseLayer, weights: np.ndarray, axis: int) -> str:
        return self._dequantised(f"{layer.name}.weight", weights, layer.scales, axis)

    def _bias(self, layer: nets.DenseLayer) -> str:
        scale = np.float32(self.network.quantity(layer.inputs[0]).scale) * layer.scales
        return self._dequantised(f"{layer.name}.bias", layer.bias, scale, 0)

    def _dequantised(self, name: str, integers: np.ndarray, scales: np.ndarray, axis: int) -> str:
        """Add constant integers behind a DequantizeLinear, with one scale where all are equal."""
        single = np.all(scales == scales[0])
        constants = [
            self._constant(f"{name}.integers", integers),
            self._constant(f"{name}.scale", scales[0] if single else scales),
            self._constant(f"{name}.zero", np.zeros(() if single else scales.shape, integers.dtype)),
        ]
        self._node("DequantizeLinear", constants, name, **({} if single else {"axis": axis}))
        return name

    def _constant(self, name: str, value: np.ndarray) -> str:
        if all(constant.name != name for constant in self.constants):
            self.constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def _node(self, kind: str, inputs: list[str], output: str, **attributes) -> None:
        self.nodes.append(helper.make_node(kind, inputs, [output], name=f"{output}.{kind}", **attributes))
