"""QCDQ: QuantizeLinear, Clip, DequantizeLinear behind every layer; int8 weights and int32 biases, dequantised."""

from __future__ import annotations

import numpy as np

from microstage.errors import ModelError
from microstage.quantisation.dialects.real_writer import RealWriter
from microstage.quantisation.integers.levels import Levels
from microstage.quantisation.integers.operations import Product, Quantise, Requantise

__all__ = ["QcdqWriter"]

_MOST_BITS = 8


class QcdqWriter(RealWriter):
    """Standard operators of opset 13 alone, which round halves to even."""

    def quantise(self, operation: Quantise) -> None:
        self._assert_rounding(operation.layer, operation.rounding)
        self._quantise(operation.inputs[0], operation.output, operation.levels)

    def requantise(self, operation: Requantise) -> None:
        self._assert_rounding(operation.layer, operation.rounding)
        if not self.exact_in_floats(operation):
            raise ModelError(
                f"Layer {operation.layer} divides with ties that floats cannot tell, as qcdq would have to: it travels "
                "as qonnx."
            )
        self._quantise(self.rectified(operation), operation.output, operation.levels)

    def product(self, operation: Product) -> None:
        output = operation.output
        weight = self._dequantised(f"{output}_weight", operation.weight.astype(np.int8), operation.weight_scale)
        bias = self._dequantised(f"{output}_bias", operation.bias.astype(np.int32), operation.scale)
        self.convolve(operation, weight, bias)

    def _dequantised(self, name: str, integers: np.ndarray, scale: np.ndarray) -> str:
        per_channel = len(scale) > 1
        constant = self.constant(name, integers)
        unit = self.constant(f"{name}_scale", (scale if per_channel else scale.reshape(())).astype(np.float32))
        zero = self.constant(f"{name}_zero_point", np.zeros(_unit_shape(scale), integers.dtype))
        return self.node("DequantizeLinear", (constant, unit, zero), f"{name}_dequantised", axis=0)

    def _quantise(self, source: str, output: str, levels: Levels) -> None:
        if levels.bits > _MOST_BITS:
            raise ModelError(f"{output} has {levels.bits} bits; qcdq holds up to {_MOST_BITS}: it travels as qonnx.")
        type_ = np.int8 if levels.signed else np.uint8
        scale = self.constant(f"{output}_scale", levels.scale)
        zero = self.constant(f"{output}_zero_point", np.array(levels.zero, type_))
        quantised = self.node("QuantizeLinear", (source, scale, zero), f"{output}_quantised")
        if (levels.lowest, levels.highest) != (np.iinfo(type_).min, np.iinfo(type_).max):
            ends = {"lowest": levels.lowest, "highest": levels.highest}
            limits = [self.constant(f"{output}_{name}", np.array(end, type_)) for name, end in ends.items()]
            quantised = self.node("Clip", (quantised, *limits), f"{output}_clipped")
        self.node("DequantizeLinear", (quantised, scale, zero), output)

    @staticmethod
    def _assert_rounding(layer: str, rounding: str) -> None:
        if rounding != "half-even":
            raise ModelError(
                f"Layer {layer} rounds {rounding}, which qcdq, half-even throughout, cannot state: it travels as qonnx."
            )


def _unit_shape(scale: np.ndarray) -> tuple[int, ...]:
    """Return the shape of a zero point beside a scale: one number for all, or one for each channel."""
    return scale.shape if len(scale) > 1 else ()
