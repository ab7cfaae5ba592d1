"""Explained ties: how far float32 arithmetic may stray from the exact value before a quantiser.

A float sum of K products, with its scales and its affine tail, lies within (K + 4) * 2^-24 * sum|x_i w_i| of the exact
one. A level may differ only where the exact value is that close to the decision boundary between the two levels.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import numpy_helper

from microstage.integer import Interpreter, real
from microstage.integer.tensor import QTensor
from microstage_qcdq.boundaries import Boundary

__all__ = ["Bounded", "integers", "unexplained_entries", "unexplained_levels"]

_UNIT = 2.0**-24


class Bounded:
    """The exact value before a boundary's quantiser, and the bound on what float32 makes of it."""

    def __init__(self, boundary: Boundary) -> None:
        self.boundary = boundary
        nodes = list(boundary.model.graph.node)
        quantiser = next((n for n in nodes if n.op_type in ("QuantizeLinear", "BipolarQuant")), None)
        self.before = quantiser.input[0] if quantiser is not None else boundary.name
        constants = {i.name: numpy_helper.to_array(i) for i in boundary.model.graph.initializer}
        self.scale = float(constants[quantiser.input[1]]) if quantiser is not None else 0.0
        self.step = 2 if quantiser is not None and quantiser.op_type == "BipolarQuant" else 1  # from one level to the next
        self.answers = quantiser is None and boundary.quantised  # a place has no neighbour to be a tie with
        kept = nodes[: nodes.index(quantiser)] if quantiser is not None else nodes
        self.exact = Interpreter(_trimmed(boundary.model, kept, self.before))
        self.magnitude = Interpreter(_magnitudes(_trimmed(boundary.model, kept, self.before)))
        self.products = sum(_fan_in(node, constants, nodes) for node in kept)

    def unexplained(self, sources: dict[str, np.ndarray], expected: np.ndarray, found: np.ndarray) -> int:
        """How many of the differing entries are no tie; `expected` are exact levels (or values), `found` float's."""
        rows = np.flatnonzero((expected != found).reshape(len(expected), -1).any(axis=1))
        if len(rows) == 0:
            return 0
        if self.answers:
            return int(np.count_nonzero(expected != found))
        chosen = {name: value[rows] for name, value in sources.items()}
        exact = real(self.exact.run(chosen)[self.before])
        size = real(self.magnitude.run({n: np.abs(v.astype(np.int64)) for n, v in chosen.items()})[self.before])
        bound = (self.products + 4) * _UNIT * size
        a, b = expected[rows].astype(np.float64).reshape(exact.shape), found[rows].astype(np.float64).reshape(exact.shape)
        if not self.boundary.quantised:
            return int(np.count_nonzero(np.abs(exact - b) > bound))
        near = np.abs(exact - (a + b) / 2 * self.scale) <= bound
        return int(np.count_nonzero((a != b) & ~((np.abs(a - b) == self.step) & near)))


def unexplained_entries(curve: np.ndarray, boundary: Boundary, sources, expected: np.ndarray, found: np.ndarray) -> int:
    """As `Bounded.unexplained` for a table: `curve` is what its entries were rounded from, in levels; one product."""
    exact = real(Interpreter(_reading_curve(boundary.model, curve)).run(sources)[boundary.name])
    a, b = expected.astype(np.float64), found.astype(np.float64)
    near = np.abs(exact - (a + b) / 2) <= (1 + 4) * _UNIT * np.abs(exact)
    return int(np.count_nonzero((a != b) & ~((np.abs(a - b) == 1) & near)))


def unexplained_levels(value: np.ndarray, scale: float, expected: np.ndarray, found: np.ndarray) -> int:
    """As `Bounded.unexplained` where real values [...] are quantised at `scale` without any sum before: one product."""
    a, b = expected.astype(np.float64), found.astype(np.float64)
    near = np.abs(value - (a + b) / 2 * scale) <= (1 + 4) * _UNIT * np.abs(value)
    return int(np.count_nonzero((a != b) & ~((np.abs(a - b) == 1) & near)))


def _reading_curve(model: onnx.ModelProto, curve: np.ndarray) -> onnx.ModelProto:
    copy = onnx.ModelProto.FromString(model.SerializeToString())
    table = next(node.input[0] for node in copy.graph.node if node.op_type == "Gather")
    for initializer in copy.graph.initializer:
        if initializer.name == table:
            initializer.CopyFrom(numpy_helper.from_array(curve, table))
    return copy


def _trimmed(model: onnx.ModelProto, nodes, output: str) -> onnx.ModelProto:
    copy = onnx.ModelProto.FromString(model.SerializeToString())
    del copy.graph.node[:]
    copy.graph.node.extend(nodes)
    del copy.graph.output[:]
    copy.graph.output.append(onnx.helper.make_tensor_value_info(output, onnx.TensorProto.FLOAT, None))
    return copy


def _magnitudes(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same graph on absolute values: with -|mean|, |gamma| and |beta| a batch norm adds its terms' magnitudes."""
    negated = {node.input[3] for node in model.graph.node if node.op_type == "BatchNormalization"}
    for initializer in model.graph.initializer:
        value = numpy_helper.to_array(initializer)
        if value.dtype.kind in "fi" and value.ndim:
            size = np.abs(value.astype(np.int64)).astype(np.int64) if value.dtype.kind == "i" else np.abs(value)
            size = -size if initializer.name in negated else size
            initializer.CopyFrom(numpy_helper.from_array(size, initializer.name))
    return model


def _fan_in(node: onnx.NodeProto, constants: dict[str, np.ndarray], nodes) -> int:
    """Products summed per output by one node."""
    makers = {output: maker for maker in nodes for output in maker.output}

    def weight(name: str) -> np.ndarray:
        while name not in constants:
            name = makers[name].input[0]
        return constants[name]

    if node.op_type == "Conv":
        return int(np.prod(weight(node.input[1]).shape[1:]))
    if node.op_type in ("MatMul", "Gemm"):
        return max(weight(node.input[1]).shape)
    return 1 if node.op_type in ("Mul", "Add", "BatchNormalization") else 0


def integers(value) -> np.ndarray:
    """Integers of a boundary's output; a real output (the last layer) gives its real values."""
    return value.ints if isinstance(value, QTensor) else np.asarray(value)
