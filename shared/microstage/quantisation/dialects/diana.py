"""DIANA's own: opset 10, float tensors that hold integers; a requantiser is Div, Floor, Max, Min."""

from __future__ import annotations

import numpy as np

from microstage.errors import ModelError
from microstage.quantisation.dialects.onnx_writer import OnnxWriter
from microstage.quantisation.integers import Product, Quantise, Requantise

__all__ = ["DianaWriter"]


class DianaWriter(OnnxWriter):
    """Integers in, integers out. Halves that go up are in the bias, so that Floor rounds."""

    opset = 10

    @property
    def graph_input(self) -> str:
        return self.network.operations[0].output

    def quantise(self, operation: Quantise) -> None:
        """The graph begins behind it."""

    def requantise(self, operation: Requantise) -> None:
        shifts = operation.shifts
        if shifts is None or operation.rounding == "half-even":
            raise ModelError(
                f"Layer {operation.layer}: the dialect diana states shifts that floor or round halves up, and no other "
                "requantiser."
            )
        (source,) = operation.inputs
        column = (-1, *[1] * (len(self.network.shapes[source]) - 1))
        if operation.rounding == "half-up":
            halves = np.array([2.0**shift / 2 if shift > 0 else 0.0 for shift in shifts], np.float32)
            half = self.constant(f"{operation.output}_half", halves.reshape(column))
            source = self.node("Add", (source, half), f"{operation.output}_raised")
        divisor = self.constant(f"{operation.output}_divisor", np.exp2(np.float32(shifts)).reshape(column))
        divided = self.node("Div", (source, divisor), f"{operation.output}_divided")
        floor = self.node("Floor", (divided,), f"{operation.output}_floor")
        levels = operation.levels
        lowest = self.constant(f"{operation.output}_lowest", float(0 if operation.rectified else levels.lowest))
        clipped = self.node("Max", (floor, lowest), f"{operation.output}_max")
        highest = self.constant(f"{operation.output}_highest", float(levels.highest))
        self.node("Min", (clipped, highest), operation.output)

    def product(self, operation: Product) -> None:
        weight = self.constant(f"{operation.output}_weight", operation.weight.astype(np.float32))
        bias = self.constant(f"{operation.output}_bias", operation.bias.astype(np.float32))
        self.convolve(operation, weight, bias)
