"""DIANA's own: opset 10, float tensors that hold integers; a requantiser is Div, Floor, Max, Min."""

from __future__ import annotations

import copy

import numpy as np
import onnx
from onnx import helper

from microstage.errors import ModelError
from microstage.quantisation.dialects.integer_writer import IntegerWriter
from microstage.quantisation.dialects.real_writer import column
from microstage.quantisation.integers.operations import AveragePool, MaxPool, Product, Requantise
from microstage.quantisation.integers.rescaling import shifts_of

__all__ = ["DianaWriter"]

_BIAS_BITS = 32


class DianaWriter(IntegerWriter):
    """Halves that go up are in the bias, or added, so that Floor rounds.

    Beside model.onnx stands model_annotated.onnx, whose Conv and Gemm say `weight_bits` and `bias_bits`. These are no
    attributes of ONNX's operators: DIANA's compiler reads them, onnxruntime does not.
    """

    opset = 10

    def models(self) -> dict[str, onnx.ModelProto]:
        written = super().models()
        return {**written, "model_annotated.onnx": self._annotated(written["model.onnx"])}

    def requantise(self, operation: Requantise) -> None:
        divisors, output = self._divisors(operation), operation.output
        rank = len(self.network.shapes[operation.inputs[0]]) + 1
        divisor = self.constant(f"{output}_divisor", column(divisors, rank, axis=1))
        divided = self.node("Div", (self._raised(operation, divisors), divisor), f"{output}_divided")
        floor = self.node("Floor", (divided,), f"{output}_floor")
        lowest = self.constant(f"{output}_lowest", float(operation.lowest))
        highest = self.constant(f"{output}_highest", float(operation.highest))
        self.node("Min", (self.node("Max", (floor, lowest), f"{output}_max"), highest), output)

    def average_pool(self, operation: AveragePool) -> None:
        if operation.kernel == self.network.shapes[operation.inputs[0]][1:]:
            self.node("GlobalAveragePool", operation.inputs, operation.output)
        else:
            super().average_pool(operation)

    def max_pool(self, operation: MaxPool) -> None:
        if set(operation.dilation) != {1}:
            raise ModelError(f"Layer {operation.layer}: the dialect diana has no dilated pools.")
        super().max_pool(operation)

    def bias(self, operation: Product) -> np.ndarray:
        halves = self.halves(operation.output)
        return operation.bias if halves is None else operation.bias + halves

    def _raised(self, operation: Requantise, divisors: np.ndarray) -> str:
        """Append the addition that makes Floor round, where it is not in a bias.

        The mean of a pool may fall a little short of a border, by its own division: so it is raised by half of what its
        next value below the border lacks.
        """
        (source,), area = operation.inputs, self._area(operation)
        half = 0.5 if operation.rounding == "half-up" and self.halves(source) is None else 0.0
        raised = np.where((divisors > 1) | (area > 1), half * divisors, 0.0)
        if area & (area - 1):
            raised = raised + np.minimum(divisors, 1) / (4 * area)
        if not raised.any():
            return source
        rank = len(self.network.shapes[source]) + 1
        added = self.constant(f"{operation.output}_half", column(raised, rank, axis=1))
        return self.node("Add", (source, added), f"{operation.output}_raised")

    def _divisors(self, operation: Requantise) -> np.ndarray:
        shifts = shifts_of([factor * self._area(operation) for factor in operation.factors])
        if shifts is None or operation.rounding not in ("floor", "half-up") or operation.zero or operation.levels.zero:
            raise ModelError(
                f"Layer {operation.layer}: the dialect diana states shifts that floor or round halves up, without zero "
                "points, and no other requantiser: it travels as qonnx."
            )
        return np.exp2(np.array(shifts, np.float64))

    def _area(self, operation: Requantise) -> int:
        source = self.made_by[operation.inputs[0]]
        return source.area if isinstance(source, AveragePool) else 1

    def _annotated(self, model: onnx.ModelProto) -> onnx.ModelProto:
        annotated = copy.deepcopy(model)
        for node in annotated.graph.node:
            product = self.made_by.get(node.output[0])
            if isinstance(product, Product):
                bits = {"weight_bits": product.weight_levels.bits, "bias_bits": _BIAS_BITS}
                node.attribute.extend(helper.make_attribute(name, value) for name, value in bits.items())
        return annotated
