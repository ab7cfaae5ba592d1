"""LSTM layers as one step of a QCDQ graph: integer states in and out, sigmoid and tanh as integer tables."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
from onnx import helper

from microstage.errors import ModelError
from microstage.interface.lstm_node import INPUTS
from microstage_qcdq.graph.build import PartBuilder, constant, constants
from microstage_qcdq.graph.ranges import element_type

__all__ = ["Curves", "LstmLayer", "State", "tabulate"]

_GATES = {"input": "i", "forget": "f", "cell": "c", "output": "o"}
Curves = dict[str, np.ndarray]


class State:
    """A tensor of integers that is carried from step to step: `name` goes in, `after` comes out."""

    def __init__(self, name: str, width: int, ends: tuple[int, int], scale: float) -> None:
        self.name, self.after, self.width, self.ends, self.scale = name, f"{name}_next", width, ends, scale

    @property
    def kind(self) -> int:
        return element_type(*self.ends)


class LstmLayer:
    """One QuantLSTMCell node of the exported graph; what feeds it is known by its place among the node's inputs.

    `label` is what tensors of its own are called after; `hidden` and `cell` are its states, by the names that the
    definition gives them.
    """

    def __init__(self, graph: onnx.GraphProto, node: onnx.NodeProto, names: Mapping[str, str]) -> None:
        self.graph, self.node, self.constants = graph, node, constants(graph)
        self.makers = {output: maker for maker in graph.node for output in maker.output}
        self.fed = dict(zip(INPUTS, node.input))
        self.sequence, self.label = node.output[0], node.output[0].removesuffix(".sequence")
        self.flags = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        if self.flags.get("cifg") or self.flags.get("reverse_input"):
            raise ModelError("An LSTM with a coupled input gate or reversed time is not supported.")
        if not self.flags.get("batch_first", 1):
            raise ModelError("An LSTM that takes time first is not supported; give it batch_first=True.")
        if np.any(self.value("hidden_0")) or np.any(self.value("cell_0")):
            raise ModelError("An LSTM that starts from a state other than zero is not supported.")
        self.hidden, self.cell = (
            self._state(kind, quantiser, names) for kind, quantiser in (("hidden", "output"), ("cell", "cell_state"))
        )

    def value(self, role: str) -> np.ndarray:
        found = self.constants.get(self.fed[role])
        if found is None:
            raise ModelError(f"{self.fed[role]}, which the LSTM takes as {role}, is no constant.")
        return found

    def scale(self, quantiser: str) -> float:
        if np.any(self.value(f"{quantiser}.zero_point")):
            raise ModelError(f"The LSTM quantiser {quantiser} has a zero point; expected none.")
        return float(self.value(f"{quantiser}.scale"))

    def range(self, quantiser: str) -> tuple[int, int]:
        bits = int(self.value(f"{quantiser}.bit_width"))
        rounding = self.flags[f"{quantiser}_rounding_mode"].decode().upper()
        if bits > 8 or rounding not in ("ROUND", "HALF_EVEN"):
            raise ModelError(f"The LSTM quantiser {quantiser} has {bits} bits and rounds by {rounding}: not QCDQ.")
        narrow = self.flags.get(f"{quantiser}_narrow", self.flags.get(f"{quantiser}_narrow_range", 0))
        if self.flags[f"{quantiser}_signed"]:
            return -(2 ** (bits - 1)) + narrow, 2 ** (bits - 1) - 1
        return 0, 2**bits - 1 - narrow

    def _state(self, kind: str, quantiser: str, names: Mapping[str, str]) -> State:
        name = f"{self.label}.{kind}"
        return State(
            names.get(name, name), len(self._folded("weight_hi")[0]), self.range(quantiser), self.scale(quantiser)
        )

    def _folded(self, role: str) -> tuple[np.ndarray, np.ndarray]:
        """Return integers and scale of a weight W [H, C]."""
        maker = self.makers.get(self.fed[role])
        if maker is None or maker.op_type != "DequantizeLinear":
            raise ModelError(f"{self.fed[role]} is not a folded weight.")
        ints, scale = (constant(self.graph, name) for name in maker.input[:2])
        if scale.size != 1:
            raise ModelError(f"{self.label}.{role} has a scale per channel; expected one per gate.")
        return ints, scale

    def write(self, b: PartBuilder, x: str, h: str, c: str) -> Curves:
        """Append one step to `b`, and return what each of its tables was rounded from.

        Real values `x` [B, C] and the states `h`, `c` [B, H] go in, integers `hidden.after` and `cell.after` come out.
        Tables are {boundary: function value over output scale, float64}.

        Brevitas' cell: i, f, o = q(sigmoid(q_acc(W x + U h + b))), g = q(tanh(q_acc(..))), c' = q_c(q_c(f c) + q_c(i
        g)), h' = q_io(o q(tanh(c'))).
        """
        curves: Curves = {}
        on = {gate: self._gate(b, gate, x, h, curves) for gate in _GATES}
        kept = self._stored(b, "Mul", [on["forget"], c], f"{self.label}.forget_cell")
        new = self._stored(b, "Mul", [on["input"], on["cell"]], f"{self.label}.input_cell")
        self._stored(b, "Add", [kept, new], self.cell.after)
        bent = self._table(b, self.cell.after, "cell_state", np.tanh, "hidden_state_tanh", curves)
        product = b.add("Mul", [on["output"], bent], f"{self.hidden.after}.exact")
        b.quantise(product, self.hidden.scale, *self.hidden.ends, self.hidden.after)
        return curves

    def _gate(self, b: PartBuilder, gate: str, x: str, h: str, curves: Curves) -> str:
        letter, name = _GATES[gate], f"{self.label}.{gate}"
        products = [
            b.add("MatMul", [x, self._weight(b, f"weight_i{letter}")], f"{name}.from_features"),
            b.add("MatMul", [h, self._weight(b, f"weight_h{letter}")], f"{name}.from_hidden"),
        ]
        total = b.add("Add", products, f"{name}.sum")
        total = b.add("Add", [total, self._bias(b, f"bias_{gate}")], f"{name}.biased")
        accumulator = f"{gate}_acc"
        ints = b.quantise(total, self.scale(accumulator), *self.range(accumulator), f"{self.label}.{accumulator}")
        function, bent = (np.tanh, "cell_tanh") if gate == "cell" else (_sigmoid, f"{gate}_sigmoid")
        return self._table(b, ints, accumulator, function, bent, curves)

    def _weight(self, b: PartBuilder, role: str) -> str:
        """Return the weight as the right side of a product: real values [C, H]."""
        name, (ints, scale) = f"{self.label}.{role}", self._folded(role)
        b.constant(f"{name}.integers", np.ascontiguousarray(ints.T))
        return b.dequantise(f"{name}.integers", float(scale), ints.dtype.type, f"{name}.real")

    def _bias(self, b: PartBuilder, role: str) -> str:
        """Return real values [H]: as they are, or of a quantiser of their own."""
        name, maker = f"{self.label}.{role}", self.makers.get(self.fed[role])
        if maker is None:
            return b.constant(name, self.value(role).astype(np.float32))
        if maker.op_type != "DequantizeLinear":
            raise ModelError(f"{self.fed[role]}, which the LSTM takes as {role}, is no constant.")
        ints, scale = (constant(self.graph, tensor) for tensor in maker.input[:2])
        b.constant(f"{name}.integers", ints)
        return b.dequantise(f"{name}.integers", float(scale), ints.dtype.type, f"{name}.real")

    def _table(self, b: PartBuilder, ints: str, domain: str, function, quantiser: str, curves: Curves) -> str:
        """Read `function` of the quantised `ints` from a table of integers; real values of the result."""
        low, high = self.range(domain)
        name = f"{self.label}.{quantiser}"
        curves[name] = curve = function(self.scale(domain) * np.arange(low, high + 1)) / self.scale(quantiser)
        entries = tabulate(curve, *self.range(quantiser))
        index = b.add("Cast", [ints], f"{name}.wide", to=onnx.TensorProto.INT32)
        index = b.add("Sub", [index, b.constant(f"{name}.first", np.int32(low))], f"{name}.index")
        found = b.add("Gather", [b.constant(f"{name}.table", entries), index], name, axis=0)
        return b.dequantise(found, self.scale(quantiser), entries.dtype.type, f"{name}.real")

    def _stored(self, b: PartBuilder, operator: str, inputs: list[str], name: str) -> str:
        ints = b.quantise(b.add(operator, inputs, f"{name}.exact"), self.cell.scale, *self.cell.ends, name)
        return b.dequantise(ints, self.cell.scale, np.int8 if self.cell.ends[0] < 0 else np.uint8, f"{name}.real")


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1.0 / (1.0 + np.exp(-x))


def tabulate(curve: np.ndarray, low: int, high: int) -> np.ndarray:
    """Return the integers of a monotone function: clip(round half even(function value / output scale)), from float64.

    Libraries differ in the last bit of sigmoid and tanh, and some are not even monotone; this table is the truth.
    """
    table = np.clip(np.rint(curve), low, high)
    if np.any(np.diff(table) < 0):
        raise ModelError("A table of sigmoid or tanh is not monotone.")
    return table.astype(np.int8 if low < 0 else np.uint8)
