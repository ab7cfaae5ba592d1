"""Small .tflite files, written with the schema's own object classes: one operator after another, quantised as
converters do.
"""

from __future__ import annotations

from pathlib import Path

import flatbuffers
import numpy as np
from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

SAME, VALID = 0, 1
NONE, RELU, RELU6 = 0, 1, 3


class Network:
    """`add` appends operators; tensors are places in the file. Scales and zero points of activations are drawn."""

    def __init__(self, rng: np.random.Generator, kind: type = np.int8) -> None:
        self.rng, self.kind = rng, kind
        self.tensors, self.buffers, self.operators, self.codes = [], [schema.BufferT()], [], []
        self.inputs: list[int] = []

    def input(self, shape: list[int], **quantised) -> int:
        self.inputs.append(self.activation(shape, **quantised))
        return self.inputs[-1]

    def activation(
        self, shape: list[int], scale: float | None = None, zero: int | None = None, kind: type | None = None
    ) -> int:
        kind = kind or self.kind
        drawn = (
            0
            if kind == np.int16
            else int(self.rng.integers(-128, 128))
            if kind == np.int8
            else int(self.rng.integers(0, 256))
        )
        scale = scale or float(self.rng.uniform(0.5, 2)) * (0.05 if np.dtype(kind).itemsize == 1 else 0.0002)
        return self._tensor(f"t{len(self.tensors)}", shape, kind, [scale], [drawn if zero is None else zero])

    def real(self, shape: list[int]) -> int:
        return self._tensor(f"t{len(self.tensors)}", shape, np.float32, [], [])

    def like(self, place: int, shape: list[int]) -> int:
        """A tensor at the scale of another."""
        found = self.tensors[place]
        return self.activation(
            shape, float(found.quantization.scale[0]), int(found.quantization.zeroPoint[0]), self.kind
        )

    def constant(
        self, value: np.ndarray, scales: list[float] = (), zeros: list[int] | None = None, axis: int = 0
    ) -> int:
        place = self._tensor(
            f"c{len(self.tensors)}", list(value.shape), value.dtype.type, list(scales), zeros or [0] * len(scales), axis
        )
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(value.tobytes(), np.uint8)
        self.tensors[place].buffer = len(self.buffers)
        self.buffers.append(buffer)
        return place

    def _tensor(self, name: str, shape: list[int], kind: type, scales, zeros, axis: int = 0) -> int:
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.buffer = name, shape, 0
        tensor.type = getattr(schema.TensorType, np.dtype(kind).name.upper())
        if len(scales):
            tensor.quantization = schema.QuantizationParametersT()
            tensor.quantization.scale, tensor.quantization.zeroPoint = list(scales), list(zeros)
            tensor.quantization.quantizedDimension = axis
        self.tensors.append(tensor)
        return len(self.tensors) - 1

    def add(self, kind: str, inputs: list[int], outputs: list[int], options: str = "", **flags) -> int:
        """An operator whose options class is named `options`, or after it; its first output."""
        operator, code = schema.OperatorT(), schema.OperatorCodeT()
        code.builtinCode = getattr(schema.BuiltinOperator, kind)
        code.deprecatedBuiltinCode, code.version = min(code.builtinCode, 127), 3
        operator.opcodeIndex, operator.inputs, operator.outputs = len(self.codes), list(inputs), list(outputs)
        if options:
            operator.builtinOptions = getattr(schema, f"{options}T")()
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, options)
            for name, value in flags.items():
                setattr(operator.builtinOptions, name, value)
        self.codes.append(code)
        self.operators.append(operator)
        return outputs[0]

    @property
    def computed(self) -> int:
        """How many tensors operators compute."""
        return sum(len(operator.outputs) for operator in self.operators)

    def shape(self, place: int) -> list[int]:
        return [int(size) for size in self.tensors[place].shape]

    def scale(self, place: int) -> float:
        return float(self.tensors[place].quantization.scale[0])

    def content(self, *outputs: int) -> bytes:
        graph, model = schema.SubGraphT(), schema.ModelT()
        graph.tensors, graph.operators, graph.inputs, graph.outputs = (
            self.tensors,
            self.operators,
            self.inputs,
            list(outputs),
        )
        model.version, model.operatorCodes, model.subgraphs, model.buffers = 3, self.codes, [graph], self.buffers
        builder = flatbuffers.Builder(1 << 16)
        builder.Finish(model.Pack(builder), b"TFL3")
        return bytes(builder.Output())

    def save(self, path: Path, *outputs: int) -> Path:
        path.write_bytes(self.content(*outputs))
        return path

    # layers, with weights and scales that use their range

    def _weighted(
        self, x: int, shape: list[int], axis: int, per_channel: bool, out: list[int], activation: int, bias: bool
    ) -> tuple[list[int], int]:
        weights = self.rng.integers(-127, 128, shape).astype(np.int8)
        scales = self.rng.uniform(0.002, 0.01, shape[axis] if per_channel else 1).astype(np.float32)
        fan = weights.size / shape[axis]
        width = 2.0 ** (8 * np.dtype(self.kind).itemsize - 1)
        reach = self.scale(x) * float(scales.mean()) * 40 * width / 2 * np.sqrt(fan) / width
        y = self.activation(
            out,
            scale=float(reach * self.rng.uniform(0.5, 2) * 2),
            zero=-128 if activation and self.kind == np.int8 else None,
        )
        inputs = [x, self.constant(weights, [float(s) for s in scales], axis=axis)]
        if bias:
            wide = np.int64 if self.kind == np.int16 else np.int32
            products = [self.scale(x) * float(s) for s in scales]
            inputs.append(self.constant(self.rng.integers(-3000, 3000, shape[axis]).astype(wide), products))
        return inputs, y

    def conv(
        self,
        x,
        channels,
        kernel=(3, 3),
        strides=(1, 1),
        padding=SAME,
        activation=NONE,
        per_channel=True,
        bias=True,
        dilations=(1, 1),
    ) -> int:
        n, h, w, c = self.shape(x)
        size = [_out(a, k, s, d, padding) for a, k, s, d in zip((h, w), kernel, strides, dilations)]
        inputs, y = self._weighted(x, [channels, *kernel, c], 0, per_channel, [1, *size, channels], activation, bias)
        flags = dict(
            strideH=strides[0],
            strideW=strides[1],
            dilationHFactor=dilations[0],
            dilationWFactor=dilations[1],
            padding=padding,
        )
        return self.add("CONV_2D", inputs, [y], "Conv2DOptions", fusedActivationFunction=activation, **flags)

    def depthwise(
        self, x, times=1, kernel=(3, 3), strides=(1, 1), padding=SAME, activation=NONE, per_channel=True, bias=True
    ) -> int:
        n, h, w, c = self.shape(x)
        size = [_out(a, k, s, 1, padding) for a, k, s in zip((h, w), kernel, strides)]
        inputs, y = self._weighted(x, [1, *kernel, c * times], 3, per_channel, [1, *size, c * times], activation, bias)
        flags = dict(
            strideH=strides[0],
            strideW=strides[1],
            dilationHFactor=1,
            dilationWFactor=1,
            padding=padding,
            depthMultiplier=times,
        )
        return self.add(
            "DEPTHWISE_CONV_2D", inputs, [y], "DepthwiseConv2DOptions", fusedActivationFunction=activation, **flags
        )

    def dense(self, x, outputs, activation=NONE, per_channel=False, bias=True) -> int:
        inputs, y = self._weighted(
            x, [outputs, self.shape(x)[-1]], 0, per_channel, [*self.shape(x)[:-1], outputs], activation, bias
        )
        keep = len(self.shape(x)) > 2
        return self.add(
            "FULLY_CONNECTED",
            inputs,
            [y],
            "FullyConnectedOptions",
            fusedActivationFunction=activation,
            keepNumDims=keep,
        )

    def pool(self, kind: str, x, kernel=(2, 2), strides=(2, 2), padding=VALID, activation=NONE) -> int:
        n, h, w, c = self.shape(x)
        size = [_out(a, k, s, 1, padding) for a, k, s in zip((h, w), kernel, strides)]
        flags = dict(
            filterHeight=kernel[0], filterWidth=kernel[1], strideH=strides[0], strideW=strides[1], padding=padding
        )
        return self.add(
            kind, [x], [self.like(x, [1, *size, c])], "Pool2DOptions", fusedActivationFunction=activation, **flags
        )

    def two(self, kind: str, a, b, activation=NONE) -> int:
        shape = list(np.broadcast_shapes(tuple(self.shape(a)), tuple(self.shape(b))))
        scale = (
            {"ADD": 2, "SUB": 2, "MUL": 100 * self.scale(b)}[kind]
            * max(self.scale(a), 0)
            * float(self.rng.uniform(0.5, 1.5))
        )
        y = self.activation(shape, scale=scale)
        return self.add(kind, [a, b], [y], f"{kind.title()}Options", fusedActivationFunction=activation)

    def over_axes(self, kind: str, x, axes, keep=True, like=False) -> int:
        shape = [1 if axis in axes else size for axis, size in enumerate(self.shape(x)) if keep or axis not in axes]
        count = np.prod([self.shape(x)[axis] for axis in axes]) if kind == "SUM" else 1
        scale = self.scale(x) * float(self.rng.uniform(0.4, 1.2) * np.sqrt(count))
        y = self.like(x, shape) if like else self.activation(shape, scale)
        return self.add(kind, [x, self.constant(np.array(axes, np.int32))], [y], "ReducerOptions", keepDims=keep)

    def unary(self, kind: str, x, options: str = "", more: list[int] = (), y: int | None = None, **flags) -> int:
        fixed = {"LOGISTIC": (1 / 256, -128), "TANH": (1 / 128, 0), "SOFTMAX": (1 / 256, -128)}
        scale, zero = fixed.get(kind, (self.scale(x) * float(self.rng.uniform(0.6, 1.5)), None))
        y = self.activation(self.shape(x), scale, zero) if y is None else y
        return self.add(kind, [x, *more], [y], options, **flags)

    def reshape(self, x, shape: list[int]) -> int:
        return self.add(
            "RESHAPE",
            [x, self.constant(np.array(shape, np.int32))],
            [self.like(x, shape)],
            "ReshapeOptions",
            newShape=shape,
        )


def _out(size: int, taps: int, stride: int, dilation: int, padding: int) -> int:
    return -(-size // stride) if padding == SAME else (size - (taps - 1) * dilation - 1) // stride + 1


def residual(seed: int) -> tuple[bytes, int]:
    """Convolutions with uneven pads, a scale for each channel and for all, a sum at two scales, pools, a dense layer, a
    softmax; and how many tensors are computed.
    """
    net = Network(np.random.default_rng(seed))
    x = net.input([1, 9, 7, 3])
    x = net.conv(x, 6, strides=(2, 2), activation=RELU)
    y = net.depthwise(x, kernel=(3, 2), activation=RELU6, per_channel=seed % 2 == 0)
    y = net.conv(y, 6, kernel=(1, 1), per_channel=False, bias=seed % 3 > 0)
    y = net.two("ADD", x, y, activation=RELU)
    y = net.pool("MAX_POOL_2D", y, kernel=(2, 2), strides=(1, 1), padding=SAME)
    y = net.pool("AVERAGE_POOL_2D", y, kernel=(3, 2), strides=(2, 1), padding=VALID)
    size = int(np.prod(net.shape(y)))
    y = net.dense(net.reshape(y, [1, size]), 10, NONE, per_channel=seed % 2 == 1)
    y = net.unary("SOFTMAX", y, "SoftmaxOptions", beta=1.0)
    return net.content(y), net.computed


def separable(seed: int) -> tuple[bytes, int]:
    """A convolution with pads, a depthwise one, an average over all, a dense layer, a softmax: FINN has all but the
    last; and how many tensors are computed.
    """
    net = Network(np.random.default_rng(seed))
    y = net.conv(net.input([1, 6, 4, 3]), 4, kernel=(3, 3), padding=SAME, activation=RELU)
    y = net.depthwise(y, kernel=(3, 3), padding=SAME, activation=RELU)
    y = net.pool("AVERAGE_POOL_2D", y, kernel=(6, 4), strides=(6, 4))
    y = net.dense(net.reshape(y, [1, 4]), 5)
    y = net.unary("SOFTMAX", y, "SoftmaxOptions", beta=1.0)
    return net.content(y), net.computed


def everyday(seed: int) -> tuple[bytes, int]:
    """One of each other operator, each an output: sums, means, products, functions of each value, moves."""
    net = Network(rng := np.random.default_rng(seed))
    x, z = net.input([1, 6, 5, 4]), net.input([1, 6, 5, 4])
    stored = net.constant(rng.integers(-128, 128, [4]).astype(np.int8), [0.03], [5])
    slopes = net.constant(rng.integers(1, 128, [1, 1, 4]).astype(np.int8), [0.005], [0])
    found = [net.two("SUB", x, z), net.two("MUL", x, z), net.two("ADD", x, stored), net.two("MUL", x, stored)]
    found += [
        net.over_axes("MEAN", x, [1, 2], keep=False),
        net.over_axes("SUM", z, [1, 2]),
        net.over_axes("MEAN", x, [3]),
    ]
    found += [net.unary(kind, x) for kind in ("RELU", "LOGISTIC", "TANH", "QUANTIZE")]
    found += [net.unary("RELU6", x, y=net.like(x, net.shape(x))), net.unary("PRELU", x, more=[slopes])]
    found += [
        net.unary("LEAKY_RELU", x, "LeakyReluOptions", alpha=0.2),
        net.pool("AVERAGE_POOL_2D", x, (3, 3), (2, 2), SAME),
    ]
    found += [net.add("TRANSPOSE", [x, integers(net, [0, 2, 3, 1])], [net.like(x, [1, 5, 4, 6])])]
    found += [net.add("CONCATENATION", [x, found[-5]], [net.like(x, [1, 6, 5, 8])], "ConcatenationOptions", axis=-1)]
    found += [
        net.add("SLICE", [z, integers(net, [0, 1, 1, 0]), integers(net, [1, 2, -1, -1])], [net.like(z, [1, 2, 4, 4])])
    ]
    ends = [integers(net, values) for values in ([0, 1, 0, 0], [0, -1, 0, 1], [1, 1, 2, 1])]
    masks = dict(beginMask=1, endMask=5, shrinkAxisMask=8)
    found += [net.add("STRIDED_SLICE", [z, *ends], [net.like(z, [1, 4, 3])], "StridedSliceOptions", **masks)]
    found += [
        net.unary("ABS", x, "AbsOptions"),
        net.unary("HARD_SWISH", z, "HardSwishOptions"),
        net.unary("ELU", x),
        transposed(net, z),
    ]
    found += [
        net.add(
            "PAD", [z, net.constant(np.array([[0, 0], [1, 2], [0, 1], [0, 0]], np.int32))], [net.like(z, [1, 9, 6, 4])]
        )
    ]
    found += [net.add("DEPTH_TO_SPACE", [x], [net.like(x, [1, 12, 10, 1])], "DepthToSpaceOptions", blockSize=2)]
    resized = [net.like(x, [1, 7, 9, 4])]
    found += [
        net.add(
            "RESIZE_NEAREST_NEIGHBOR",
            [x, integers(net, [7, 9])],
            resized,
            "ResizeNearestNeighborOptions",
            halfPixelCenters=True,
        )
    ]
    found += [net.add("REDUCE_MAX", [z, integers(net, [1, 2])], [net.like(z, [1, 4])], "ReducerOptions")]
    found += [
        net.add("MAXIMUM", [found[-1], net.over_axes("MEAN", z, [1, 2], keep=False, like=True)], [net.like(z, [1, 4])])
    ]
    halves = [net.like(z, [1, 6, 5, 2]) for _ in range(2)]
    net.add("SPLIT", [net.constant(np.array(3, np.int32)), z], halves, "SplitOptions", numSplits=2)
    return net.content(*found, *halves), net.computed


def unaligned(seed: int) -> tuple[bytes, int]:
    """A sum at scales for which no small whole factors keep every pair of integers at its level."""
    net = Network(np.random.default_rng(seed))
    x, z = (
        net.input([1, 4, 4, 3], scale=2.003106960835145, zero=122),
        net.input([1, 4, 4, 3], scale=22.43475080462575, zero=111),
    )
    y = net.add("ADD", [x, z], [net.activation([1, 4, 4, 3], 43.839473724365234, -118)], "AddOptions")
    return net.content(net.conv(y, 4)), net.computed


def real(seed: int) -> tuple[bytes, int]:
    """Real numbers at both ends."""
    net = Network(np.random.default_rng(seed))
    net.inputs.append(x := net.real([1, 6]))
    y = net.dense(net.add("QUANTIZE", [x], [net.activation([1, 6], 0.125)]), 4)
    return net.content(net.add("DEQUANTIZE", [y], [net.real([1, 4])])), net.computed


def transposed(net: Network, x: int) -> int:
    """A transposed convolution, which makes twice as many rows."""
    _, height, width, channels = net.shape(x)
    out = [1, 2 * height, width, 3]
    (x, weights, bias), y = net._weighted(x, [3, 3, 2, channels], 0, True, out, NONE, True)
    flags = dict(padding=SAME, strideH=2, strideW=1)
    return net.add("TRANSPOSE_CONV", [integers(net, out), weights, x, bias], [y], "TransposeConvOptions", **flags)


def integers(net: Network, values: list[int]) -> int:
    return net.constant(np.array(values, np.int32))


def sixteen(seed: int, ends: int = 2) -> tuple[bytes, int]:
    """Activations of 16 bits, weights of 8, biases of 64; its first `ends` outputs."""
    net = Network(np.random.default_rng(seed), np.int16)
    x = net.conv(net.input([1, 7, 6, 3]), 5, strides=(2, 1), activation=RELU)
    y = net.depthwise(x)
    y = net.two("ADD", x, y, activation=RELU)
    y = net.pool("MAX_POOL_2D", y)
    y = net.dense(net.over_axes("MEAN", y, [1, 2], keep=False), 4)
    z = net.unary("TANH", y, y=net.activation([1, 4], 1 / 32768, 0))
    return net.content(*[y, z][:ends]), net.computed
