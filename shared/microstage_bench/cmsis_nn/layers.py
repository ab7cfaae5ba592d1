"""The layers of an int8 .tflite file, as far as CMSIS-NN has a function for them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from microstage.errors import ModelError
from microstage_bench.rounding import multiplier_of
from microstage_bench.tflite_file import read_tflite, without_softmax

__all__ = [
    "AddedLayer",
    "AveragedLayer",
    "FlatNetwork",
    "FlatTensor",
    "Geometry",
    "LayerOfFile",
    "WeightedLayer",
    "read",
]

_HEADROOM = 20


@dataclass(frozen=True)
class FlatTensor:
    """An int8 tensor [height, width, channels] of one example."""

    name: str
    shape: tuple[int, int, int]
    scale: float
    zero: int

    @property
    def size(self) -> int:
        return int(np.prod(self.shape))


@dataclass(frozen=True)
class Geometry:
    """(height, width) each."""

    kernel: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    pad: tuple[int, int] = (0, 0)


@dataclass(frozen=True, kw_only=True)
class LayerOfFile:
    """`low` and `high` are what an activation leaves of the levels."""

    inputs: tuple[FlatTensor, ...]
    output: FlatTensor
    low: int
    high: int


@dataclass(frozen=True, kw_only=True)
class WeightedLayer(LayerOfFile):
    """`kind` is conv, depthwise or dense; weights as the file has them; multipliers and shifts a filter."""

    kind: str
    weights: np.ndarray
    bias: np.ndarray
    multipliers: list[int]
    shifts: list[int]
    geometry: Geometry = field(default_factory=Geometry)


@dataclass(frozen=True, kw_only=True)
class AddedLayer(LayerOfFile):
    """(multiplier, shift) of both inputs and of the output, behind `headroom` bits to the left."""

    factors: tuple[tuple[int, int], ...]
    headroom: int = _HEADROOM


@dataclass(frozen=True, kw_only=True)
class AveragedLayer(LayerOfFile):
    """The mean of windows."""

    geometry: Geometry


@dataclass(frozen=True)
class FlatNetwork:
    """One input, one output, layers in order."""

    input: FlatTensor
    output: FlatTensor
    layers: tuple[LayerOfFile, ...]


def read(file: bytes) -> FlatNetwork:
    """Read a .tflite file up to its closing softmax; `ModelError` for a layer that is not written here."""
    return _Reader(read_tflite(without_softmax(file))).network()


class _Reader:
    def __init__(self, model: Any) -> None:
        from ai_edge_litert import schema_py_generated as schema

        self.schema, self.model, self.graph = schema, model, model.subgraphs[0]
        self.same: dict[int, int] = {}  # what only another shape makes of a tensor: that tensor
        self.forms: dict[int, Callable[[Any], LayerOfFile]] = {
            schema.BuiltinOperator.CONV_2D: self._conv,
            schema.BuiltinOperator.DEPTHWISE_CONV_2D: self._depthwise,
            schema.BuiltinOperator.FULLY_CONNECTED: self._dense,
            schema.BuiltinOperator.ADD: self._add,
            schema.BuiltinOperator.AVERAGE_POOL_2D: self._average,
        }

    def network(self) -> FlatNetwork:
        if len(self.graph.inputs) != 1 or len(self.graph.outputs) != 1:
            raise ModelError("CMSIS-NN is measured on networks of one input and one output.")
        layers = [layer for operator in self.graph.operators if (layer := self._layer(operator))]
        return FlatNetwork(self._tensor(self.graph.inputs[0]), self._tensor(self.graph.outputs[0]), tuple(layers))

    def _layer(self, operator: Any) -> LayerOfFile | None:
        """Return the layer of an operator; None for a reshape, whose output is its input."""
        code = self.model.operatorCodes[operator.opcodeIndex]
        kind = max(code.builtinCode, code.deprecatedBuiltinCode)
        if kind == self.schema.BuiltinOperator.RESHAPE:
            self.same[operator.outputs[0]] = self.same.get(operator.inputs[0], operator.inputs[0])
            return None
        if kind not in self.forms:
            names = {value: name for name, value in vars(self.schema.BuiltinOperator).items() if name.isupper()}
            raise ModelError(f"CMSIS-NN is not measured on {names.get(kind, kind)}; leave AGAINST= out.")
        return self.forms[kind](operator)

    def _conv(self, operator: Any) -> LayerOfFile:
        return self._weighted(operator, "conv", 0, self._geometry(operator, self._shape(operator.inputs[1])[1:3]))

    def _depthwise(self, operator: Any) -> LayerOfFile:
        return self._weighted(operator, "depthwise", 3, self._geometry(operator, self._shape(operator.inputs[1])[1:3]))

    def _dense(self, operator: Any) -> LayerOfFile:
        return self._weighted(operator, "dense", 0, Geometry())

    def _weighted(self, operator: Any, kind: str, axis: int, geometry: Geometry) -> LayerOfFile:
        given, (weights, *bias) = self._tensor(operator.inputs[0]), operator.inputs[1:]
        ends = self._ends(operator)
        integers = self._constant(weights, np.int8)
        filters = integers.shape[axis]
        scales = np.resize(np.asarray(self.graph.tensors[weights].quantization.scale, np.float32), filters)
        # TFLite multiplies the two scales of a dense layer, but not those of a convolution, in float32
        products = np.float32(given.scale) * scales if kind == "dense" else given.scale * scales.astype(np.float64)
        factors = [multiplier_of(float(product) / ends["output"].scale) for product in products]
        return WeightedLayer(
            **ends,
            kind=kind,
            weights=integers,
            bias=self._constant(bias[0], np.int32) if bias and bias[0] >= 0 else np.zeros(filters, np.int32),
            multipliers=[multiplier for multiplier, _ in factors],
            shifts=[shift for _, shift in factors],
            geometry=geometry,
        )

    def _add(self, operator: Any) -> LayerOfFile:
        ends = self._ends(operator)
        twice = 2.0 * max(tensor.scale for tensor in ends["inputs"])
        real = [tensor.scale / twice for tensor in ends["inputs"]] + [twice / (2**_HEADROOM * ends["output"].scale)]
        return AddedLayer(**ends, factors=tuple(map(multiplier_of, real)))

    def _average(self, operator: Any) -> LayerOfFile:
        options = operator.builtinOptions
        kernel = (options.filterHeight, options.filterWidth)
        return AveragedLayer(**self._ends(operator), geometry=self._geometry(operator, kernel))

    def _ends(self, operator: Any) -> dict[str, Any]:
        options, output = operator.builtinOptions, self._tensor(operator.outputs[0])
        kinds = self.schema.ActivationFunctionType
        most = {kinds.NONE: None, kinds.RELU: np.inf, kinds.RELU6: 6.0}.get(options.fusedActivationFunction, -1.0)
        if most is not None and most < 0:
            raise ModelError("CMSIS-NN is measured on ReLU and ReLU6 alone.")
        low = -128 if most is None else max(-128, output.zero)
        high = 127 if most is None else int(min(127, np.rint(most / output.scale) + output.zero))
        count = 2 if len(operator.inputs) == 2 and operator.inputs[1] not in self._constants else 1
        inputs = tuple(self._tensor(self.same.get(place, place)) for place in operator.inputs[:count])
        return {"inputs": inputs, "output": output, "low": low, "high": high}

    @property
    def _constants(self) -> set[int]:
        buffers = self.model.buffers
        return {n for n, tensor in enumerate(self.graph.tensors) if buffers[tensor.buffer].data is not None}

    def _geometry(self, operator: Any, kernel: tuple[int, ...]) -> Geometry:
        """Return windows and steps; what SAME adds in front is the smaller half."""
        options, (taken, given) = operator.builtinOptions, (operator.inputs[0], operator.outputs[0])
        plane, made = self._tensor(self.same.get(taken, taken)).shape[:2], self._tensor(given).shape[:2]
        stride = (options.strideH, options.strideW)
        dilation = (getattr(options, "dilationHFactor", 1), getattr(options, "dilationWFactor", 1))
        same = options.padding == self.schema.Padding.SAME
        lack = [
            max((m - 1) * s + (k - 1) * d + 1 - n, 0) for n, m, s, k, d in zip(plane, made, stride, kernel, dilation)
        ]
        pad = (lack[0] // 2, lack[1] // 2) if same else (0, 0)
        return Geometry((int(kernel[0]), int(kernel[1])), stride, dilation, pad)

    def _shape(self, place: int) -> tuple[int, ...]:
        return tuple(int(n) for n in self.graph.tensors[place].shape)

    def _tensor(self, place: int) -> FlatTensor:
        place = self.same.get(place, place)
        tensor, quantised = self.graph.tensors[place], self.graph.tensors[place].quantization
        if tensor.type != self.schema.TensorType.INT8:
            raise ModelError("CMSIS-NN is measured on int8 networks alone.")
        shape = self._shape(place)[1:]
        height, width, channels = (*(1,) * (3 - len(shape)), *shape)
        return FlatTensor(str(place), (height, width, channels), float(quantised.scale[0]), int(quantised.zeroPoint[0]))

    def _constant(self, place: int, kind: type) -> np.ndarray:
        tensor = self.graph.tensors[place]
        return np.frombuffer(bytes(self.model.buffers[tensor.buffer].data), kind).reshape(self._shape(place))
