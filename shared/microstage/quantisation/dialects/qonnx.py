"""QONNX: floats with a Quant behind every layer and every weight. It can state every rounding that a target has."""

from __future__ import annotations

import numpy as np

from microstage.quantisation.dialects.real_writer import RealWriter, column
from microstage.quantisation.integers.levels import Levels
from microstage.quantisation.integers.operations import Product, Quantise, Requantise

__all__ = ["QonnxWriter"]

_DOMAIN = "qonnx.custom_op.general"
_MODES = {"half-even": "ROUND", "floor": "FLOOR", "half-up": "FLOOR"}


class QonnxWriter(RealWriter):
    """Halves that go up are written as they are computed: half a step is added, in the bias if it can be, and floored.

    A requantiser that no Quant states exactly is a MultiThreshold: a fixed-point multiplier, ties of an odd division.
    """

    domains = {_DOMAIN: 1}

    def quantise(self, operation: Quantise) -> None:
        self._quant(operation.inputs[0], operation.output, operation.levels, _MODES[operation.rounding])

    def requantise(self, operation: Requantise) -> None:
        if not self.exact_in_floats(operation):
            self._thresholds(operation)
            return
        source = self.rectified(operation)
        if operation.rounding == "half-up" and self.halves(operation.inputs[0]) is None:
            half = self.constant(f"{operation.output}_half", operation.levels.scale / 2)
            source = self.node("Add", (source, half), f"{operation.output}_raised")
        self._quant(source, operation.output, operation.levels, _MODES[operation.rounding])

    def product(self, operation: Product) -> None:
        scale = column(operation.weight_scale, operation.weight.ndim)
        weight = self.constant(f"{operation.output}_weight", (operation.weight * scale).astype(np.float32))
        quantised = self._quant_of(
            weight,
            self.constant(f"{operation.output}_weight_scale", scale),
            f"{operation.output}_weight_quantised",
            operation.weight_levels,
        )
        halves = self.halves(operation.output)
        bias = operation.bias if halves is None else operation.bias + halves
        self.convolve(
            operation,
            quantised,
            self.constant(f"{operation.output}_bias", (bias * operation.scale).astype(np.float32)),
        )

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

    def _thresholds(self, operation: Requantise) -> None:
        """Write thresholds halfway between two integers, times their unit, so that no rounding of floats reaches one.

        They count levels, less the zero point, which are then multiplied by their scale; the Quant behind says which.
        """
        levels, output = operation.levels, operation.output
        unit = np.array([[float(factor) * levels.scale] for factor in operation.factors])
        halfway = (operation.thresholds - operation.zero - 0.5) * unit
        counted = self.node(
            "MultiThreshold",
            (operation.inputs[0], self.constant(f"{output}_thresholds", halfway.astype(np.float32))),
            f"{output}_levels",
            _DOMAIN,
            out_bias=float(operation.lowest - levels.zero),
            out_dtype=f"INT{levels.bits + 1}",
        )
        scaled = self.node("Mul", (counted, self.constant(f"{output}_unit", levels.scale)), f"{output}_scaled")
        self._quant(scaled, output, levels, "ROUND")
