"""One LSTM step as a QCDQ graph: integer states in and out, sigmoid and tanh as integer tables."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import helper

from microstage.errors import ModelError
from microstage_qcdq.graphs import Builder, constant, int8_value, make_model

__all__ = ["build_lstm_step"]

_GATES = {"input": "i", "forget": "f", "cell": "c", "output": "o"}


Curves = dict[str, np.ndarray]


def build_lstm_step(graph: onnx.GraphProto, cell: onnx.NodeProto) -> tuple[onnx.ModelProto, Curves]:
    """features_t [B, C], hidden [B, H], cell [B, H] -> hidden_next, cell_next; all int8.

    Beside the graph, what each table was rounded from: {boundary: function value over output scale, float64}.

    Brevitas' cell: i, f, o = q(sigmoid(q_acc(W x + U h + b))), g = q(tanh(q_acc(..))), c' = q_c(q_c(f c) + q_c(i g)),
    h' = q_io(o q(tanh(c'))). Parameters are taken by the names that the export gave them.
    """
    step = _Step(graph, cell)
    for gate in _GATES:
        step.gate(gate)
    return step.finish(), step.curves


class _Step:
    def __init__(self, graph: onnx.GraphProto, cell: onnx.NodeProto) -> None:
        self.graph, self.builder = graph, Builder()
        self.flags = {a.name: helper.get_attribute_value(a) for a in cell.attribute}
        if self.flags.get("cifg") or self.flags.get("reverse_input"):
            raise ModelError("An LSTM with a coupled input gate or reversed time is not supported.")
        if np.any(self.value("lstm.hidden_0")) or np.any(self.value("lstm.cell_0")):
            raise ModelError("An LSTM that starts from a state other than zero is not supported.")
        self.makers = {output: node for node in graph.node for output in node.output}
        b, io = self.builder, self.scale("output")
        self.x = b.dequantise("features_t", io, np.int8, "features_t.real")
        self.h = b.dequantise("hidden", io, np.int8, "hidden.real")
        self.c = b.dequantise("cell", self.scale("cell_state"), np.int8, "cell.real")
        self.activated: dict[str, str] = {}
        self.curves: Curves = {}

    def value(self, name: str) -> np.ndarray:
        found = constant(self.graph, name)
        if found is None:
            raise ModelError(f"The exported LSTM has no constant {name}.")
        return found

    def scale(self, quantiser: str) -> float:
        if np.any(self.value(f"lstm.{quantiser}.zero_point")):
            raise ModelError(f"The LSTM quantiser {quantiser} has a zero point; expected none.")
        return float(self.value(f"lstm.{quantiser}.scale"))

    def range(self, quantiser: str) -> tuple[int, int]:
        bits = int(self.value(f"lstm.{quantiser}.bit_width"))
        rounding = self.flags[f"{quantiser}_rounding_mode"].decode().upper()
        if bits > 8 or rounding not in ("ROUND", "HALF_EVEN"):
            raise ModelError(f"The LSTM quantiser {quantiser} has {bits} bits and rounds by {rounding}: not QCDQ.")
        narrow = self.flags.get(f"{quantiser}_narrow", self.flags.get(f"{quantiser}_narrow_range", 0))
        if self.flags[f"{quantiser}_signed"]:
            return -(2 ** (bits - 1)) + narrow, 2 ** (bits - 1) - 1
        return 0, 2**bits - 1 - narrow

    def weight(self, role: str) -> str:
        """The folded weight W [H, C] as the right side of a product: real values [C, H]."""
        node = self.makers.get(f"lstm.{role}.quantised")
        if node is None or node.op_type != "DequantizeLinear":
            raise ModelError(f"lstm.{role} is not a folded weight.")
        b, (ints, scale) = self.builder, (self.value(name) for name in node.input[:2])
        if scale.size != 1:
            raise ModelError(f"lstm.{role} has a scale per channel; expected one per gate.")
        b.constant(f"lstm.{role}.integers", np.ascontiguousarray(ints.T))
        return b.dequantise(f"lstm.{role}.integers", float(scale), ints.dtype.type, f"lstm.{role}.real")

    def gate(self, gate: str) -> None:
        b, letter = self.builder, _GATES[gate]
        products = [
            b.add("MatMul", [self.x, self.weight(f"weight_i{letter}")], f"lstm.{gate}.from_features"),
            b.add("MatMul", [self.h, self.weight(f"weight_h{letter}")], f"lstm.{gate}.from_hidden"),
        ]
        total = b.add("Add", products, f"lstm.{gate}.sum")
        bias = b.constant(f"lstm.bias_{gate}", self.value(f"lstm.bias_{gate}").astype(np.float32))
        total = b.add("Add", [total, bias], f"lstm.{gate}.biased")
        accumulator = f"{gate}_acc"
        ints = b.quantise(total, self.scale(accumulator), *self.range(accumulator), f"lstm.{accumulator}")
        function, bent = (np.tanh, "cell_tanh") if gate == "cell" else (_sigmoid, f"{gate}_sigmoid")
        self.activated[gate] = self.table(ints, accumulator, function, bent)

    def table(self, ints: str, domain: str, function, quantiser: str) -> str:
        """Read `function` of the quantised `ints` from a table of integers; real values of the result."""
        b, (low, high) = self.builder, self.range(domain)
        name = f"lstm.{quantiser}"
        self.curves[name] = curve = function(self.scale(domain) * np.arange(low, high + 1)) / self.scale(quantiser)
        entries = tabulate(curve, *self.range(quantiser))
        index = b.add("Cast", [ints], f"{name}.wide", to=onnx.TensorProto.INT32)
        index = b.add("Sub", [index, b.constant(f"{name}.first", np.int32(low))], f"{name}.index")
        found = b.add("Gather", [b.constant(f"{name}.table", entries), index], name, axis=0)
        return b.dequantise(found, self.scale(quantiser), entries.dtype.type, f"{name}.real")

    def state(self, operator: str, inputs: list[str], name: str) -> str:
        b, scale = self.builder, self.scale("cell_state")
        ints = b.quantise(b.add(operator, inputs, f"{name}.exact"), scale, *self.range("cell_state"), name)
        return b.dequantise(ints, scale, np.int8, f"{name}.real")

    def finish(self) -> onnx.ModelProto:
        b, on = self.builder, self.activated
        kept = self.state("Mul", [on["forget"], self.c], "lstm.forget_cell")
        new = self.state("Mul", [on["input"], on["cell"]], "lstm.input_cell")
        self.state("Add", [kept, new], "cell_next")
        bent = self.table("cell_next", "cell_state", np.tanh, "hidden_state_tanh")
        product = b.add("Mul", [on["output"], bent], "hidden_next.exact")
        b.quantise(product, self.scale("output"), *self.range("output"), "hidden_next")
        features, width = self.value_shape("weight_ii"), self.value_shape("weight_hi")
        inputs = [int8_value(n, ["B", size]) for n, size in (("features_t", features), ("hidden", width), ("cell", width))]
        outputs = [int8_value(n, ["B", width]) for n in ("hidden_next", "cell_next")]
        used = {name for node in b.nodes for name in node.input} | {o.name for o in outputs}
        nodes = [node for node in b.nodes if node.output[0] in used]
        return make_model("lstm_step", nodes, b.initializers, inputs, outputs)

    def value_shape(self, role: str) -> int:
        return self.builder.initializers[f"lstm.{role}.integers"].shape[0]


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1.0 / (1.0 + np.exp(-x))


def tabulate(curve: np.ndarray, low: int, high: int) -> np.ndarray:
    """The integers of a monotone function: clip(round half even(function value / output scale)), from float64.

    Libraries differ in the last bit of sigmoid and tanh, and some are not even monotone; this table is the truth.
    """
    table = np.clip(np.rint(curve), low, high)
    if np.any(np.diff(table) < 0):
        raise ModelError("A table of sigmoid or tanh is not monotone.")
    return table.astype(np.int8 if low < 0 else np.uint8)
