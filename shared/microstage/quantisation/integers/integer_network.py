"""A network in integers alone: a list of operations in the order of the data, run exactly."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from torch import Tensor

from microstage.quantisation.dialects import write
from microstage.quantisation.integers.comparing import Comparison, compare
from microstage.quantisation.integers.integer_program import IntegerProgram
from microstage.quantisation.representative import Representative, assert_batch, batches_of

__all__ = ["IntegerNetwork"]


@dataclass(frozen=True)
class IntegerNetwork(IntegerProgram):
    """A program that runs. `fake_quantised` gives the same values of the network in floats that it was made of, in
    float64.
    """

    fake_quantised: Callable[[Tensor], Mapping[str, Tensor]] = field(repr=False)

    def values(self, x: Tensor | np.ndarray) -> dict[str, np.ndarray]:
        """Return every value by name for a batch [n, ...]: int64, but for the input itself."""
        assert_batch(x, self.shapes[self.input], "The input holds")
        values = {self.input: np.asarray(x)}
        for operation in self.operations:
            values[operation.output] = operation.run(*(values[name] for name in operation.inputs))
        return values

    def integers(self, x: Tensor | np.ndarray) -> np.ndarray:
        """Return the output's integers, int64 [n, ...]."""
        return self.values(x)[self.output]

    def predict(self, x: Tensor | np.ndarray) -> np.ndarray:
        """Return the output in its own unit, float64 [n, ...]."""
        levels = self.levels[self.output]
        return (self.integers(x) - levels.zero) * levels.scale

    def verify(self, representative: Representative) -> Comparison:
        """Compare every layer with the network of floats that this one was made of, given that network's integers.

        Raise `VerificationError`, with the layer, for a difference that is no tie which floats cannot tell.
        """
        batches = batches_of(representative, self.shapes[self.input])
        return compare(self.operations, self.levels, self.input, self.fake_quantised, batches)

    def export(self, folder: str | Path, dialect: str = "qonnx", x: Tensor | np.ndarray | None = None) -> Path:
        """Write model.onnx in a dialect (qonnx, qcdq, finn or diana) into a folder, and return that file's path.

        With a batch `x` [n, ...] beside it what the model is given and gives, input.npy and output.npy, and
        intermediate_{i}.npy, the integers behind each requantiser in the order in which they are computed. Raise
        `ModelError` where the dialect cannot state a layer, with the layer and the dialect that can.
        """
        return write(self, Path(folder), dialect, None if x is None else self.values(x))
