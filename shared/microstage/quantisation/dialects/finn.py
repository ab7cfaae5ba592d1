"""FINN-ONNX: integer weights, and thresholds in the place of every requantiser."""

from __future__ import annotations

import numpy as np

from microstage.quantisation.dialects.onnx_writer import OnnxWriter
from microstage.quantisation.integers import Product, Quantise, Requantise

__all__ = ["FinnWriter"]

_DOMAIN = "qonnx.custom_op.general"


class FinnWriter(OnnxWriter):
    """Integers in, integers out. The k-th threshold is the least accumulator whose level is k above the lowest."""

    domains = {_DOMAIN: 1}

    @property
    def graph_input(self) -> str:
        return self.network.operations[0].output

    def quantise(self, operation: Quantise) -> None:
        """The graph begins behind it."""

    def requantise(self, operation: Requantise) -> None:
        levels = operation.levels
        lowest = max(levels.lowest, levels.zero) if operation.rectified else levels.lowest
        thresholds = self.constant(f"{operation.output}_thresholds", operation.thresholds().astype(np.float32))
        self.node(
            "MultiThreshold",
            (*operation.inputs, thresholds),
            operation.output,
            _DOMAIN,
            out_bias=float(lowest),
            out_dtype=f"{'INT' if levels.signed else 'UINT'}{levels.bits}",
        )

    def product(self, operation: Product) -> None:
        weight = self.constant(f"{operation.output}_weight", operation.weight.astype(np.float32))
        bias = self.constant(f"{operation.output}_bias", operation.bias.astype(np.float32))
        self.convolve(operation, weight, bias)
