"""A small network that is stepped window by window, as the export stage writes it, with weights drawn at random.

An estimate wired beside a CNN, an LSTM and heads: the form of the harmonic network, in widths of one's own choice.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from microstage.interface.lstm_node import INPUTS, OPERATOR, QUANTISERS

__all__ = ["HARMONICS", "Form", "definition", "exported", "roles", "waves"]

HARMONICS = (1, 3, 5, 7)
ANSWERS, PHASORS = 4, 8
_BREVITAS = "onnx.brevitas"


@dataclass(frozen=True)
class Form:
    """Widths of a network; `seed` draws its weights."""

    seed: int = 0
    samples: int = 32
    window_bits: int = 12
    estimate_bits: int = 14
    channels: int = 4
    hidden: int = 6
    width: int = 5
    bits: int = 8
    length: int = 1
    most: int = 64

    @property
    def step(self) -> float:
        """What one integer of the estimate is worth: phasors up to twice the gain."""
        return 2.0 ** (2 - self.estimate_bits)

    @property
    def top(self) -> int:
        """The largest part of a phasor."""
        return 2 ** (self.estimate_bits - 1) - 1


class _Graph:
    def __init__(self, seed: int) -> None:
        self.nodes, self.constants, self.random = [], {}, np.random.default_rng(seed)

    def add(self, operator: str, inputs: list[str], output: str, **attributes) -> str:
        self.nodes.append(helper.make_node(operator, inputs, [output], **attributes))
        return output

    def const(self, name: str, value) -> str:
        self.constants[name] = np.asarray(value, getattr(value, "dtype", np.float32))
        return name

    def quant(
        self, x: str, name: str, scale: float, bits: int, signed: int = 1, narrow: int = 0, path: str = ""
    ) -> str:
        """As brevitas exports a quantiser: `name` is what it gives; its parameters are called after `path`."""
        roles = zip(("scale", "zero_point", "bit_width"), (np.float32(scale), np.float32(0), np.float32(bits)))
        inputs = [x, *(self.const(f"{path or name}.{role}", value) for role, value in roles)]
        return self.add("Quant", inputs, name, domain=_BREVITAS, signed=signed, narrow=narrow, rounding_mode="ROUND")

    def weight(self, name: str, ints: np.ndarray, scale: float, bits: int = 8) -> str:
        x = self.const(name, (ints * np.float32(scale)).astype(np.float32))
        return self.quant(x, f"{name}.quantised", scale, bits, 1, 1, path=name)

    def drawn(self, name: str, *shape: int, scale: float) -> str:
        return self.weight(name, self.random.integers(-127, 128, shape), scale)

    def norm(self, x: str, name: str, channels: int, size: float) -> str:
        r = self.random
        values = (
            r.uniform(0.5, 2, channels),
            r.normal(0, 0.3, channels),
            r.normal(0, 0.2 * size, channels),
            r.uniform(0.3, 1, channels) * size**2,
        )
        roles = ("weight", "bias", "running_mean", "running_var")
        return self.add(
            "BatchNormalization",
            [x, *(self.const(f"{name}.{role}", v.astype(np.float32)) for role, v in zip(roles, values))],
            f"/{name}",
            epsilon=1e-5,
        )

    def linear(self, x: str, name: str, inputs: int, outputs: int, scale: float) -> str:
        turned = self.add(
            "Transpose", [self.drawn(f"{name}.weight", outputs, inputs, scale=scale)], f"/{name}/Transpose", perm=[1, 0]
        )
        return self.add("MatMul", [x, turned], f"/{name}")


def exported(form: Form) -> onnx.ModelProto:
    """One step: window, estimate_1, sum, count -> correction, estimate, sum_next, count_next."""
    g = _Graph(form.seed)
    estimate = _estimate(g, form)
    change = g.add("Sub", [estimate, "estimate_1"], "/difference")
    change = g.add("Mul", [change, g.const("gains", np.float32([2, 8, 8, 16] * 2))], "/scaled")
    both = g.add(
        "Unsqueeze",
        [g.add("Concat", [_cnn(g, form), change], "/concat", axis=1), g.const("time", np.int64([1]))],
        "/both",
    )
    features = g.quant(both, "features", 2.0 / 128, form.bits)
    sequence = _lstm(g, form, features)
    last = g.add("Gather", [sequence, g.const("last", np.int64(-1))], "/last", axis=1)
    correction, keep = _heads(g, form, last)
    twice = g.add("Concat", [keep, keep], "/twice", axis=1)
    g.add("Add", [g.add("Mul", [twice, "sum"], "/kept"), estimate], "sum_next")
    g.add("Add", [g.add("Mul", [keep, "count"], "/held"), g.const("one", np.float32(1))], "count_next")
    ends = {"window": [1, 1, form.samples], "estimate_1": [1, PHASORS], "sum": [1, PHASORS], "count": [1, ANSWERS]}
    ends |= {"estimate": [1, PHASORS], "sum_next": [1, PHASORS]}

    def values(*names):
        return [helper.make_tensor_value_info(name, TensorProto.FLOAT, ends.get(name, [1, ANSWERS])) for name in names]

    graph = helper.make_graph(
        g.nodes,
        "stepped",
        values("window", "estimate_1", "sum", "count"),
        values(correction, "estimate", "sum_next", "count_next"),
        [numpy_helper.from_array(value, name) for name, value in sorted(g.constants.items())],
    )
    opsets = [helper.make_opsetid("", 13), helper.make_opsetid(_BREVITAS, 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def _estimate(g: _Graph, form: Form) -> str:
    """Real parts of four phasors, then imaginary ones, of half a cycle; of another window something like them."""
    waves = np.exp(-2j * np.pi * np.outer(HARMONICS, np.arange(form.samples)) / 64)
    kernels = np.rint(np.concatenate([waves.real, waves.imag])[:, None] * 127).astype(int)
    x = g.add("Conv", ["window", g.weight("wired.weight", kernels, 2.0**-11)], "/wired", kernel_shape=[form.samples])
    x = g.quant(x, "wired.act", form.step, form.estimate_bits, narrow=1)
    return g.add("Reshape", [x, g.const("wired.shape", np.int64([1, PHASORS]))], "estimate")


def _cnn(g: _Graph, form: Form) -> str:
    """Two convolutions; one position is left."""
    kernel = form.samples // 2
    positions = (form.samples - kernel) // 4 + 1
    x = g.add(
        "Conv", ["window", g.drawn("cnn.conv1.weight", form.channels, 1, kernel, scale=0.01)], "/cnn/conv1", strides=[4]
    )
    x = g.add("Relu", [g.norm(x, "cnn.bn1", form.channels, 1.5)], "/cnn/relu")
    x = g.quant(x, "cnn.act1", 4 / 255, form.bits, signed=0)
    x = g.add(
        "Conv", [x, g.drawn("cnn.conv2.weight", form.channels, form.channels, positions, scale=0.01)], "/cnn/conv2"
    )
    x = g.norm(x, "cnn.bn2", form.channels, 3.0)
    return g.add("Reshape", [x, g.const("cnn.shape", np.int64([1, form.channels]))], "/cnn/flat")


def _lstm(g: _Graph, form: Form, features: str) -> str:
    signed = {name: int("sigmoid" not in name) for name in QUANTISERS}
    spans = {
        name: 4.0 if name.endswith("acc") else 2.0 if name in ("output", "cell_state") else 1.0 for name in QUANTISERS
    }
    fed = {
        "input": features,
        **{name: g.const(f"lstm.{name}", np.zeros((1, form.hidden), np.float32)) for name in ("hidden_0", "cell_0")},
    }
    for gate in "ifco":
        for side, width in (("i", form.channels + PHASORS), ("h", form.hidden)):
            fed[f"weight_{side}{gate}"] = g.drawn(f"lstm.weight_{side}{gate}", form.hidden, width, scale=0.006)
    for gate in ("input", "forget", "cell", "output"):
        fed[f"bias_{gate}"] = g.const(f"lstm.bias_{gate}", g.random.normal(0, 0.5, form.hidden).astype(np.float32))
    for name in QUANTISERS:
        scale = spans[name] / 2 ** (form.bits - signed[name])
        for role, value in (("scale", scale), ("zero_point", 0), ("bit_width", form.bits)):
            fed[f"{name}.{role}"] = g.const(f"lstm.{name}.{role}", np.float32(value))
    flags = {
        f"{name}_{flag}": value
        for name in QUANTISERS
        for flag, value in (("signed", signed[name]), ("narrow", 0), ("rounding_mode", "ROUND"))
    }
    outputs = ["lstm.sequence", "lstm.hidden", "lstm.cell"]
    flags |= {"batch_first": 1, "cifg": 0, "reverse_input": 0}
    g.nodes.append(helper.make_node(OPERATOR, [fed[name] for name in INPUTS], outputs, domain=_BREVITAS, **flags))
    return outputs[0]


def _heads(g: _Graph, form: Form, hidden: str) -> tuple[str, str]:
    """(correction, keep): two values of each of four heads."""
    ends: dict[str, list[str]] = {"out": [], "keep": []}
    for k in range(ANSWERS):
        x = g.linear(hidden, f"heads.{k}.linear", form.hidden, form.width, 0.01)
        x = g.add("Relu", [g.norm(x, f"heads.{k}.bn", form.width, 1.5)], f"/heads.{k}/relu")
        x = g.quant(x, f"heads.{k}.act", 3 / 2**form.bits, form.bits, signed=0)
        for end, scale in (("out", 0.002 * (k + 1)), ("keep", 0.01)):
            ends[end].append(g.linear(x, f"heads.{k}.{end}", form.width, 1, scale))
    keep = g.add(
        "Add", [g.add("Concat", ends["keep"], "/keep", axis=1), g.const("keep.bias", np.float32(0.6))], "/keep/lifted"
    )
    correction = g.add(
        "Mul", [g.add("Concat", ends["out"], "/out", axis=1), g.const("small", np.float32(0.125))], "correction"
    )
    return correction, g.quant(keep, "keep", 1.0, 1, signed=0)


def definition(form: Form) -> dict:
    """What `model_def.json` says of it."""
    largest, unit = 2 ** (form.window_bits - 1) - 1, "2^exponent of the window, in the recording's unit"

    def said(low, high, scale):
        return {"range": [low, high], "scale": scale, "unit": unit}

    return {
        "model": "stepped",
        "parameters": {},
        "length": form.length,
        "inputs": {
            "window": said(-largest, largest, 2.0 ** (1 - form.window_bits)),
            "estimate_1": said(-form.top, form.top, form.step),
            "sum": said(-form.most * form.top, form.most * form.top, form.step),
            "count": {"range": [0, form.most], "scale": 1.0, "unit": "1"},
        },
        "units": {"estimate": unit, "correction": unit, "sum_next": unit},
        "names": {"lstm.input": "features", "lstm.hidden": "hidden", "lstm.cell": "cell"},
        "files": {"encoder": "subcnn", "cell": "sublstm_qcdq", "head": "submlp"},
        **roles(form.most),
    }


def roles(most: int) -> dict:
    """What is carried from step to step, what follows the gain of a window, and how an answer is made of the outputs;
    at a count of `most` a mean forgets half."""
    return {
        "carried": {"estimate_1": "estimate", "sum": "sum_next", "count": "count_next"},
        "gain": {
            "inputs": {"window": "waveform"},
            "outputs": {"harmonics": "amplitudes"},
            "exponents": [-60, 60],
            "scaled": ["estimate_1", "sum"],
        },
        "answer": {
            "name": "harmonics",
            "sum": "sum_next",
            "count": "count_next",
            "correction": "correction",
            "most": most,
        },
    }


def waves(form: Form, count: int, length: int) -> np.ndarray:
    """Records [count, length * samples] float32 with steps of load between their windows, silence and both ends of the
    gain among them."""
    random = np.random.default_rng(form.seed + 1)
    t = np.arange(length * form.samples) / 64
    parts = [
        random.uniform(0, 1, (count, 1)) / k * np.cos(2 * np.pi * (k * t + random.random((count, 1))))
        for k in HARMONICS
    ]
    load = np.repeat(2.0 ** random.integers(-3, 4, (count, length)).clip(-1, 2), form.samples, axis=1)
    steady = random.random((count, 1)) < 0.3
    waveform = sum(parts) * np.where(steady, 1.0, load) + random.normal(0, 0.01, (count, len(t)))
    waveform[-1] = 0
    waveform[-2] = np.ldexp(np.sign(waveform[-2]), np.repeat(np.where(np.arange(length) % 2, -60, 60), form.samples))
    return waveform.astype(np.float32)
