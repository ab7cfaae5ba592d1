"""What the dialects share whose tensors are real: integers times a scale, as a quantised network of floats has them."""

from __future__ import annotations

import numpy as np

from microstage.quantisation.dialects.onnx_writer import OnnxWriter
from microstage.quantisation.integers.operations import Requantise

__all__ = ["RealWriter"]


class RealWriter(OnnxWriter):
    """Real values in, real values out; a quantiser behind each layer."""

    def rectified(self, operation: Requantise) -> str:
        """Append the activation in front of a requantiser, if its range is narrower than the quantiser's own."""
        (source,), levels, output = operation.inputs, operation.levels, f"{operation.output}_rectified"
        if operation.lowest == levels.lowest and operation.highest == levels.highest:
            return source
        if operation.highest == levels.highest:
            return self.node("Relu", (source,), output)
        ends = [(end - levels.zero) * levels.scale for end in (operation.lowest, operation.highest)]
        limits = [self.constant(f"{output}_{name}", end) for name, end in zip(("lowest", "highest"), ends)]
        return self.node("Clip", (source, *limits), output)

    def exact_in_floats(self, operation: Requantise) -> bool:
        """Whether a division by scales decides as integers do: not where it meets ties that floats cannot hold."""
        if operation.rounding == "fixed-point":
            return False
        return operation.shifts is not None or not operation.meets_ties()


def column(values: np.ndarray, rank: int, axis: int = 0) -> np.ndarray:
    """Return one value per channel, float32, in a shape that meets a tensor of `rank` along `axis`."""
    return values.astype(np.float32).reshape([-1 if place == axis else 1 for place in range(rank)])
