"""A network that carries wide integers from step to step, in the parts that the stage before writes: an estimate
beside a CNN, a gated cell, and heads that keep a running sum or start it anew. Widths, bits and sizes are the caller's.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, checker, helper, numpy_helper

from microstage.integer import Interpreter, QTensor
from microstage.integer.sequence import run_sequence
from microstage.interface import golden
from microstage.interface.recurrence import Recurrence

QONNX = "qonnx.custom_op.general"
_IO, _CELL = 2.0**-7, 2.0**-6
_PLAIN = {"zero_point": 0, "unit": "1", "datatype": "INT32"}


@dataclass(frozen=True)
class Sizes:
    """`samples` of a window of `window_bits`; phasors of so many `harmonics` in `bits`; widths of CNN, LSTM and heads.

    `alike`: the sums of all heads have one scale, so that they are joined as integers before they are quantised.
    """

    samples: int = 32
    window_bits: int = 12
    bits: int = 12
    step: float = 2.0**-10
    harmonics: int = 3
    channels: int = 4
    features: int = 5
    hidden: int = 6
    width: int = 4
    most: int = 8
    alike: bool = False
    seed: int = 0

    @property
    def phasors(self) -> int:
        """Real parts, and then imaginary ones."""
        return 2 * self.harmonics

    @property
    def top(self) -> int:
        """The largest of an estimate."""
        return 2 ** (self.bits - 1) - 1


class Builder:
    """Nodes and constants of a QCDQ graph under construction."""

    def __init__(self, seed: int, name: str) -> None:
        self.rng, self.name = np.random.Generator(np.random.PCG64(seed)), name
        self.nodes, self.constants, self.inputs, self.outputs = [], {}, {}, {}

    def add(self, op, inputs, output=None, **attributes):
        output = output or f"{self.name}.{len(self.nodes)}.{op.lower()}"
        self.nodes.append(helper.make_node(op, inputs, [output], **attributes))
        return output

    def constant(self, value, name=None):
        name = name or f"{self.name}.constant{len(self.constants)}"
        self.constants[name] = np.asarray(value)
        return name

    def taken(self, name, kind, shape, ends, scale):
        """A graph input of integers; its real value."""
        self.inputs[name] = {"kind": kind, "shape": [1, *shape], "range": list(ends), "scale": scale}
        zero = [] if kind == TensorProto.INT32 else [self.constant(np.zeros((), helper.tensor_dtype_to_np_dtype(kind)))]
        return self.add("DequantizeLinear", [name, self.constant(np.float32(scale)), *zero], f"{name}.real")

    def given(self, name, kind, shape, scale=1.0):
        ends = (-128, 127) if kind == TensorProto.INT8 else (-(2**31), 2**31 - 1)
        self.outputs[name] = {"kind": kind, "shape": [1, *shape], "range": list(ends), "scale": scale}

    def weight(self, shape, bits=8):
        top = 2 ** (bits - 1) - 1
        return self.stored(self.rng.integers(-top, top + 1, shape), np.float32(self.rng.uniform(0.002, 0.02)))

    def stored(self, integers, scale):
        """Integers of 8 bits at a scale."""
        ints = self.constant(np.asarray(integers, np.int8))
        self.scale = np.float32(scale)
        return self.add("DequantizeLinear", [ints, self.constant(self.scale), self.constant(np.int8(0))])

    def norm(self, x, size):
        """Batch norm with falling (gamma < 0) and constant (gamma = 0) channels."""
        gamma = self.rng.choice([-1.0, 0.0, 1.0, 1.0], size) * self.rng.uniform(0.2, 2, size)
        parts = gamma, self.rng.normal(0, 0.2, size), self.rng.normal(0, 0.2, size), self.rng.uniform(0.5, 4, size)
        return self.add("BatchNormalization", [x, *(self.constant(part.astype(np.float32)) for part in parts)])

    def relu(self, x, scale):
        """ReLU and a quantiser of 8 bits."""
        name = f"{self.name}.act{len(self.nodes)}"
        scale, zero = self.constant(np.float32(scale)), self.constant(np.uint8(0))
        self.add("QuantizeLinear", [self.add("Relu", [x]), scale, zero], name)
        return self.add("DequantizeLinear", [name, scale, zero])

    def quant(self, x, scale, bits, signed, output=None):
        """A quantiser of any width; signed ones are narrow."""
        others = [self.constant(np.asarray(value, np.float32)) for value in (scale, 0, bits)]
        flags = {"signed": signed, "narrow": signed, "rounding_mode": "ROUND", "domain": QONNX}
        return self.add("Quant", [x, *others], output, **flags)

    def whole(self, x, scale, output=None):
        """A quantiser of 8 signed bits; its real value."""
        output = output or f"{self.name}.whole{len(self.nodes)}"
        scale, zero = self.constant(np.float32(scale)), self.constant(np.int8(0))
        self.add("QuantizeLinear", [x, scale, zero], output)
        return self.add("DequantizeLinear", [output, scale, zero])

    def finish(self):
        """The model."""
        ends = [
            [helper.make_tensor_value_info(n, v["kind"], ["B", *v["shape"][1:]]) for n, v in side.items()]
            for side in (self.inputs, self.outputs)
        ]
        kept = [numpy_helper.from_array(value, key) for key, value in self.constants.items()]
        opsets = [helper.make_opsetid("", 13), helper.make_opsetid(QONNX, 1)]
        model = helper.make_model(
            helper.make_graph(self.nodes, self.name, *ends, kept), opset_imports=opsets, ir_version=8
        )
        checker.check_model(model)
        return model

    def interface(self, model):
        """Its entry of interface.json."""
        zeros = {n: np.zeros(v["shape"], np.int64) for n, v in self.inputs.items()}
        scales = {n: v.scale for n, v in Interpreter(model).run(zeros).items() if isinstance(v, QTensor)}
        inputs = {n: {**{key: v[key] for key in ("shape", "range", "scale")}, **_PLAIN} for n, v in self.inputs.items()}
        outputs = {
            n: {"shape": v["shape"], "range": v["range"], "scale": _flat(scales.get(n, v["scale"])), **_PLAIN}
            for n, v in self.outputs.items()
        }
        return {"file": f"{self.name}.onnx", "inputs": inputs, "outputs": outputs}


class OwnFile(Builder):
    """The same as a user exports it: real numbers in, each behind a quantiser of as many bits as it needs."""

    def taken(self, name, kind, shape, ends, scale):
        self.inputs[name] = {"kind": TensorProto.FLOAT, "shape": [1, *shape], "range": list(ends), "scale": scale}
        signed = int(ends[0] < 0)
        others = [self.constant(np.float32(value)) for value in (scale, 0, int(ends[1]).bit_length() + signed)]
        return self.add(
            "Quant", [name, *others], f"{name}.real", signed=signed, narrow=0, rounding_mode="ROUND", domain=QONNX
        )


def _flat(scale) -> float | list[float]:
    flat = np.asarray(scale, np.float64).reshape(-1).tolist()
    return flat[0] if len(set(flat)) == 1 else flat


def encoder(s: Sizes, kind: type[Builder] = Builder) -> Builder:
    """window, estimate_1 -> features, estimate."""
    b, top = kind(s.seed, "subcnn"), 2 ** (s.window_bits - 1) - 1
    window = b.taken("window", TensorProto.INT16, [1, s.samples], (-top, top), 2.0 ** (1 - s.window_bits))
    before = b.taken("estimate_1", TensorProto.INT32, [s.phasors], (-s.top, s.top), s.step)
    difference = b.add("Sub", [_estimate(b, s, window), before])
    factors = b.constant(np.float32(b.rng.uniform(2, 80, s.phasors)))
    difference = b.add("Unsqueeze", [b.add("Mul", [difference, factors]), b.constant(np.int64([2]))])
    joined = b.add("Concat", [_cnn(b, s, window), difference], axis=1)
    turned = b.add("Transpose", [joined], perm=[0, 2, 1])
    b.add("QuantizeLinear", [turned, b.constant(np.float32(_IO)), b.constant(np.int8(0))], "features")
    b.given("features", TensorProto.INT8, [1, s.features + s.phasors], _IO)
    b.given("estimate", TensorProto.FLOAT, [s.phasors])
    return b


def _estimate(b: Builder, s: Sizes, window: str) -> str:
    """Projections on waves, the phasors of the harmonics."""
    waves = [np.exp(-2j * np.pi * (2 * h + 1) * np.arange(s.samples) / 64) for h in range(s.harmonics)]
    kernels = np.rint(127 * np.array([wave.real for wave in waves] + [wave.imag for wave in waves]))
    weight = b.stored(kernels[:, None], 2.0**-6 / s.samples)
    sums = b.add("Conv", [window, weight], kernel_shape=[s.samples], strides=[1], pads=[0, 0], dilations=[1], group=1)
    return b.add("Flatten", [b.quant(sums, s.step, s.bits, 1)], "estimate", axis=1)


def _cnn(b: Builder, s: Sizes, window: str) -> str:
    kernel, stride = min(8, s.samples), 4
    x = b.add("Conv", [window, b.weight((s.channels, 1, kernel))], kernel_shape=[kernel], strides=[stride], pads=[0, 0])
    x = b.relu(b.norm(x, s.channels), 0.01)
    left = (s.samples - kernel) // stride + 1
    x = b.add("Conv", [x, b.weight((s.features, s.channels, left))], kernel_shape=[left])
    return b.norm(x, s.features)


def cell(s: Sizes, kind: type[Builder] = Builder) -> Builder:
    """features_t, hidden, cell -> hidden_next, cell_next: f c + f g, and f tanh of it, without the tanh."""
    b = kind(s.seed + 2, "sublstm")
    features = b.taken("features_t", TensorProto.INT8, [s.features + s.phasors], (-128, 127), _IO)
    hidden = b.taken("hidden", TensorProto.INT8, [s.hidden], (-128, 127), _IO)
    before = b.taken("cell", TensorProto.INT8, [s.hidden], (-128, 127), _CELL)
    gate, new = (
        b.whole(
            b.add(
                "Add",
                [
                    b.add("MatMul", [x, b.stored(b.rng.integers(-127, 128, (width, s.hidden)), scale)])
                    for x, width in ((features, s.features + s.phasors), (hidden, s.hidden))
                ],
            ),
            2.0**-7,
        )
        for scale in np.float32([0.004, 0.003])
    )
    terms = [b.whole(b.add("Mul", [gate, x]), _CELL) for x in (before, new)]
    after = b.whole(b.add("Add", terms), _CELL, "cell_next")
    b.whole(b.add("Mul", [gate, after]), _IO, "hidden_next")
    b.given("hidden_next", TensorProto.INT8, [s.hidden], _IO)
    b.given("cell_next", TensorProto.INT8, [s.hidden], _CELL)
    return b


def head(s: Sizes, kind: type[Builder] = Builder) -> Builder:
    """hidden, estimate, sum, count -> correction, sum_next, count_next."""
    b = kind(s.seed + 1, "submlp")
    hidden = b.taken("hidden", TensorProto.INT8, [s.hidden], (-128, 127), _IO)
    estimate = b.taken("estimate", TensorProto.INT32, [s.phasors], (-s.top, s.top), s.step)
    total = b.taken("sum", TensorProto.INT32, [s.phasors], (-s.most * s.top, s.most * s.top), s.step)
    count = b.taken("count", TensorProto.UINT8, [s.harmonics], (0, s.most), 1.0)
    corrections, keeps = zip(*(_head(b, s, hidden) for _ in range(s.harmonics)))
    b.add("Concat", corrections, "correction", axis=1)
    keep = b.quant(b.add("Concat", keeps, axis=1), 1.0, 1, 0, "keep")
    both = b.add("Concat", [keep, keep], axis=1)
    b.add("Add", [b.add("Mul", [both, total]), estimate], "sum_next")
    b.add("Add", [b.add("Mul", [keep, count]), b.constant(np.float32(1))], "count_next")
    for name, width in (("correction", s.harmonics), ("sum_next", s.phasors), ("count_next", s.harmonics)):
        b.given(name, TensorProto.FLOAT, [width])
    return b


def _head(b: Builder, s: Sizes, hidden: str) -> tuple[str, str]:
    """(correction, whether to keep the sum), each a sum at a scale of its own."""
    scale = np.float32(_scale(b, s))
    x = b.relu(b.norm(b.add("MatMul", [hidden, b.weight((s.hidden, s.width))]), s.width), scale)
    return tuple(_answer(b, s, x, scale, largest) for largest in (1, 100))


def _answer(b: Builder, s: Sizes, x: str, scale: np.float32, largest: float) -> str:
    weight = b.stored(b.rng.integers(-127, 128, (1, s.width)), _scale(b, s) * largest)
    far = b.rng.choice([1, 1, 10_000]) if largest > 1 else 1  # a decision that hardly hangs on what is summed
    bias, step = b.constant((far * b.rng.integers(-5000, 5000, 1)).astype(np.int32)), b.constant(scale * b.scale)
    return b.add("Gemm", [x, weight, b.add("DequantizeLinear", [bias, step])], transB=1)


def _scale(b: Builder, s: Sizes) -> float:
    drawn = b.rng.uniform(0.001, 0.01)
    return 0.005 if s.alike else drawn


def write_cell(folder: Path, s: Sizes, records: int, steps: int) -> None:
    """What the stage before publishes of a cell alone, in place of what is in `folder`."""
    shutil.rmtree(folder)
    folder.mkdir()
    builder = cell(s)
    model = builder.finish()
    roles = {
        "length": steps,
        "cell": builder.name,
        "steps": {"features_t": "frames"},
        "states": {"hidden": "hidden_next", "cell": "cell_next"},
    }
    interface = {"sequence": roles, "parts": {builder.name: builder.interface(model)}}
    onnx.save(model, str(folder / f"{builder.name}.onnx"))
    (folder / "interface.json").write_text(json.dumps(interface))
    (folder / "model_def.json").write_text("{}")
    shape = (records, steps, *builder.inputs["features_t"]["shape"][1:])
    frames = {"frames": np.random.Generator(np.random.PCG64(s.seed)).integers(-128, 128, shape).astype(np.int8)}
    found = run_sequence(Recurrence.read(interface), {builder.name: Interpreter(model)}, frames)
    golden.save(folder / golden.FILE, frames | {name: value.astype(np.int16) for name, value in found.items()})
