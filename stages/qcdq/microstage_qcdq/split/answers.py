"""What the network answers in real numbers: one output at its scale, or a mean of what it carries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import onnx

from microstage.errors import ModelError
from microstage.integer import QTensor
from microstage.interface.answer import PhasorMean
from microstage.interface.gain import EXPONENT
from microstage.models.definition import FILE, ModelDeclaration, StepDeclaration
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
        self.mean, self.name = step.answer, step.answer.name
        found = _scaled(parts, [*self.mean.outputs, *step.carried.values()])
        _assert_carried(found, declared, step)
        total, count, correction = (found[name] for name in self.mean.outputs)
        _assert_mean(self.mean, total, count, correction)
        scales = np.broadcast_to(correction.scale, correction.shape)[0]
        self.scales = {self.mean.sum: float(np.unique(total.scale)[0]), self.mean.correction: scales}

    def real(self, ints: Vectors, recorded: Vectors) -> np.ndarray:
        """Return float64 [n, L, ...] of the graphs' integers; `recorded` has the exponents [n, L] of the gain."""
        return real_answer(self.mean, self.scales, ints, recorded[EXPONENT])


def _scaled(parts: Mapping[str, onnx.ModelProto], names: Iterable[str]) -> dict[str, QTensor]:
    """Return those outputs of `parts`; `ModelError` for one that is no integers at a scale."""
    zeros = {name: zero for part in parts.values() for name, zero in answers_to_zeros(part).items()}
    found: dict[str, QTensor] = {}
    for name in names:
        zero = zeros.get(name)
        if not isinstance(zero, QTensor):
            raise ModelError(
                f"{name} is no output of integers at one scale for each value; expected sums of what has one scale,"
                f" as declared in {FILE}."
            )
        found[name] = zero
    return found


def _assert_carried(found: Mapping[str, QTensor], declared: ModelDeclaration, step: StepDeclaration) -> None:
    """Raise `ModelError` where an output has another scale than the input that carries it on."""
    for old, new in step.carried.items():
        if np.any(np.asarray(found[new].scale) != declared.inputs[old]["scale"]):
            raise ModelError(
                f"{new} has scale {np.unique(found[new].scale)}; {old}, which carries it on, is declared at"
                f" {declared.inputs[old]['scale']}."
            )


def _assert_mean(mean: PhasorMean, total: QTensor, count: QTensor, correction: QTensor) -> None:
    """Raise `ModelError` where scales or shapes are not those of sums of phasors, their count and a correction."""
    if np.any(np.asarray(count.scale) != 1) or np.unique(total.scale).size != 1:
        raise ModelError(
            f"{mean.count} has scale {np.unique(count.scale)}, {mean.sum} {np.unique(total.scale)}:"
            " expected 1 of what counts steps, and one number of a sum."
        )
    if correction.shape != count.shape or total.shape != (*count.shape[:-1], 2 * count.shape[-1]):
        raise ModelError(
            f"{mean.sum} is {list(total.shape)}, {mean.count} {list(count.shape)}, {mean.correction}"
            f" {list(correction.shape)}; expected two parts of a phasor for each count and correction."
        )
