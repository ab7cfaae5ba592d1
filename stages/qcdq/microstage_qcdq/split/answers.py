"""What the network answers in real numbers: one output at its scale, or a mean of what it carries."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx

from microstage.errors import ModelError
from microstage.integer import QTensor
from microstage.interface.gain import EXPONENT
from microstage.models.definition import ModelDeclaration, StepDeclaration
from microstage.signals.settle import real_answer
from microstage_qcdq.split.part import answers_to_zeros

__all__ = ["Output", "Quotient"]

Vectors = Mapping[str, np.ndarray]


class Output:
    """The network's one output, `name`, times the gain where it has one.

    `places`: the answers are places of the largest scores.
    """

    def __init__(self, part: onnx.ModelProto, declared: ModelDeclaration) -> None:
        ((self.name, zero),) = answers_to_zeros(part).items()
        self.scaled = declared.gain is not None and self.name in declared.gain.outputs
        self.places = isinstance(zero, np.ndarray) and zero.dtype.kind == "i"
        if not self.places and not isinstance(zero, QTensor):
            raise ModelError(
                f"{self.name} is no multiple of one scale for each value;"
                " give the last layer a quantised bias (Int32Bias) or none."
            )
        self._scale = np.broadcast_to(zero.scale, zero.shape) if isinstance(zero, QTensor) else 1.0

    def real(self, ints: Vectors, recorded: Vectors) -> np.ndarray:
        """Return float64 [n, ...] of the graphs' integers; `recorded` has the exponents [n] of the gain."""
        answers = ints[self.name].astype(np.float64) * self._scale
        if not self.scaled:
            return answers
        return answers * np.ldexp(1.0, recorded[EXPONENT].astype(int)).reshape(-1, *[1] * (answers.ndim - 1))


class Quotient:
    """The size of a running mean of phasors, and its correction, at every step: no output of the graphs."""

    places = False

    def __init__(self, parts: Mapping[str, onnx.ModelProto], declared: ModelDeclaration, step: StepDeclaration) -> None:
        found = {name: zero for part in parts.values() for name, zero in answers_to_zeros(part).items()}
        self.mean, self.name = step.answer, step.answer.name
        for name in (*self.mean.outputs, *step.carried.values()):
            if not isinstance(found.get(name), QTensor):
                raise ModelError(
                    f"{name} is no output of integers at one scale for each value; expected sums of what has one scale,"
                    " as declared in model_def.json."
                )
        for old, new in step.carried.items():
            if np.any(np.asarray(found[new].scale) != declared.inputs[old]["scale"]):
                raise ModelError(
                    f"{new} has scale {np.unique(found[new].scale)}; {old}, which carries it on, is declared at"
                    f" {declared.inputs[old]['scale']}."
                )
        total, count, correction = (found[name] for name in self.mean.outputs)
        if np.any(np.asarray(count.scale) != 1) or np.unique(total.scale).size != 1:
            raise ModelError(
                f"{self.mean.count} has scale {np.unique(count.scale)}, {self.mean.sum} {np.unique(total.scale)}:"
                " expected 1 of what counts steps, and one number of a sum."
            )
        if (count.shape, total.shape[:-1], total.shape[-1]) != (
            correction.shape,
            count.shape[:-1],
            2 * count.shape[-1],
        ):
            raise ModelError(
                f"{self.mean.sum} is {list(total.shape)}, {self.mean.count} {list(count.shape)}, {self.mean.correction}"
                f" {list(correction.shape)}; expected two parts of a phasor for each count and correction."
            )
        scales = np.broadcast_to(correction.scale, correction.shape)[0]
        self.scales = {self.mean.sum: float(np.unique(total.scale)[0]), self.mean.correction: scales}

    def real(self, ints: Vectors, recorded: Vectors) -> np.ndarray:
        """Return float64 [n, L, ...] of the graphs' integers; `recorded` has the exponents [n, L] of the gain."""
        return real_answer(self.mean, self.scales, ints, recorded[EXPONENT])
