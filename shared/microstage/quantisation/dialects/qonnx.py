"""QONNX: floats with a Quant behind every layer and every weight. It can state every rounding that a target has."""

from __future__ import annotations

import numpy as np

from microstage.quantisation.dialects.onnx_writer import OnnxWriter
from microstage.quantisation.integers import Levels, Product, Quantise, Requantise

__all__ = ["QonnxWriter"]

_DOMAIN = "qonnx.custom_op.general"


class QonnxWriter(OnnxWriter):
    """Halves that go up are written as they are computed: half a step is added, and the floor is taken."""

    domains = {_DOMAIN: 1}

    def quantise(self, operation: Quantise) -> None:
        self._quant(operation.inputs[0], operation.output, operation.levels, "ROUND")

    def requantise(self, operation: Requantise) -> None:
        (source,) = operation.inputs
        rounding = {"half-even": "ROUND", "floor": "FLOOR", "half-up": "FLOOR"}[operation.rounding]
        if operation.rectified:
            source = self.node("Relu", (source,), f"{operation.output}_rectified")
        if operation.rounding == "half-up":
            half = self.constant(f"{operation.output}_half", operation.levels.scale / 2)
            source = self.node("Add", (source, half), f"{operation.output}_raised")
        self._quant(source, operation.output, operation.levels, rounding)

    def product(self, operation: Product) -> None:
        column = operation.weight_scale.reshape(-1, *[1] * (operation.weight.ndim - 1)).astype(np.float32)
        weight = self.constant(f"{operation.output}_weight", (operation.weight * column).astype(np.float32))
        scale = self.constant(f"{operation.output}_weight_scale", column)
        quantised = self._quant_of(weight, scale, f"{operation.output}_weight_quantised", operation.weight_levels)
        bias = self.constant(f"{operation.output}_bias", (operation.bias * operation.scale).astype(np.float32))
        self.convolve(operation, quantised, bias)

    def _quant(self, source: str, output: str, levels: Levels, rounding: str) -> None:
        self._quant_of(source, self.constant(f"{output}_scale", levels.scale), output, levels, rounding)

    def _quant_of(self, source: str, scale: str, output: str, levels: Levels, rounding: str = "ROUND") -> str:
        zero = self.constant(f"{output}_zero_point", float(levels.zero))
        bits = self.constant(f"{output}_bits", float(levels.bits))
        return self.node(
            "Quant",
            (source, scale, zero, bits),
            output,
            _DOMAIN,
            signed=int(levels.signed),
            narrow=int(levels.narrow),
            rounding_mode=rounding,
        )
