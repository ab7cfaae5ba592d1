"""What the dialects share whose tensors are integers, in float32 containers."""

from __future__ import annotations

import numpy as np

from microstage.quantisation.dialects.onnx_writer import OnnxWriter
from microstage.quantisation.integers.operations import Product, Quantise

__all__ = ["IntegerWriter"]


class IntegerWriter(OnnxWriter):
    """Integers in, integers out: the graph begins behind the quantiser of the input."""

    @property
    def graph_input(self) -> str:
        return self.network.quantiser.output

    def given_out(self, integers: np.ndarray) -> np.ndarray:
        return integers

    def quantise(self, operation: Quantise) -> None:
        """Write nothing: this is what the graph is given."""

    def product(self, operation: Product) -> None:
        weight = self.integers(f"{operation.output}_weight", operation.weight)
        self.convolve(operation, weight, self.integers(f"{operation.output}_bias", self.bias(operation)))

    def bias(self, operation: Product) -> np.ndarray:
        """Return the integers of the bias, [out]."""
        return operation.bias
