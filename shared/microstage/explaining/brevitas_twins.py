"""A network that was trained with brevitas' quantisers in it: the same weights with all of them off, and on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from microstage.explaining.twins import Arrays, Computed, Twins, real_ones
from microstage.explaining.watching import in_floats, watched
from microstage.interface.answer import PhasorMean
from microstage.interface.gain import EXPONENT
from microstage.models.definition import StepDeclaration
from microstage.models.exporting import Exporting
from microstage.signals.settle import shifts

__all__ = ["BrevitasTwins"]

_REAL = "real."  # in golden vectors


class BrevitasTwins(Twins):
    floats = (
        "the weights that were trained, with all quantisers off; activations of 1 and 2 bits stay within their ends,"
        " and decisions between 0 and 1 stay"
    )
    integers = "the same network with its quantisers on: what ONNX and C compute, with ties of floats apart"

    def __init__(self, exporting: Exporting, recorded: Arrays) -> None:
        """Take the network of `exporting`, weights loaded; `recorded` are the golden vectors of the reference."""
        self.exporting, self.declared, self.recorded = exporting, exporting.declared, recorded
        self.network = exporting.network.eval()
        self.classes = self.declared.classes
        self.samples = "test examples" + (", answers over the gain of their windows" if self.declared.gain else "")
        self.count, self.scores, self.chooses = real_ones(recorded), bool(self.classes), False

    @torch.no_grad()
    def in_integers(self, rows: np.ndarray) -> Computed:
        computed = self._run(rows, self._windows(rows), {})
        exact = self._reference(rows)
        return computed if exact is None or self.chooses else replace(computed, answer=exact)

    @torch.no_grad()
    def in_floats(self, rows: np.ndarray, given: Arrays | None = None) -> Computed:
        with in_floats(self.network):
            return self._run(rows, self._real_windows(rows), given or {})

    def _run(self, rows: np.ndarray, windows: Arrays, given: Arrays) -> Computed:
        taken = {name: given.get(name, value) for name, value in windows.items()}
        with watched(self.network, given) as found:
            answer = self._answer(rows, taken)
        self.chooses = answer.dtype.kind in "iu"
        if self.chooses:  # a class: what is explained are the scores
            last = next(reversed(found))
            answer = given.get(last, found[last])
        return Computed({**windows, **found}, answer.astype(np.float64))

    def _answer(self, rows: np.ndarray, windows: Arrays) -> np.ndarray:
        step = self.declared.step
        if step is not None:
            return self._mean(step, windows[step.gain.window], self.recorded[EXPONENT][rows])
        shapes = dict(zip(self.exporting.inputs, self.exporting.example))
        known = {name: windows[name] if name in windows else self.recorded[name][rows] for name in shapes}
        return self.network(*(_tensor(known[name], like) for name, like in shapes.items())).numpy()

    def _mean(self, step: StepDeclaration, window: np.ndarray, exponent: np.ndarray) -> np.ndarray:
        """Return what all steps answer, over the gain: the size of the mean, and the correction."""
        shift = torch.from_numpy(shifts(exponent))
        found = self.exporting.sequence(torch.from_numpy(window).float(), shift)
        return _answered(step.answer, {name: value.double().numpy() for name, value in found.items()})

    def _reference(self, rows: np.ndarray) -> np.ndarray | None:
        """Return what the reference answers, over the gain: so ties are an error of their own."""
        step, gain = self.declared.step, self.declared.gain
        name = step.answer.name if step else self.exporting.outputs[0]
        found = self.recorded.get(f"{_REAL}{gain.outputs.get(name, name) if gain else name}")
        if found is None:
            return None
        answer = found[rows].astype(np.float64)
        if gain is None or name not in gain.outputs:
            return answer
        return np.ldexp(answer, -_spread(self.recorded[EXPONENT][rows].astype(int), answer.ndim))

    def _windows(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        """Return the windows that have a gain, over it: integers times their scale."""
        gain = self.declared.gain
        if gain is None:
            return {}
        return {gain.window: self.recorded[gain.window][rows] * float(self.declared.inputs[gain.window]["scale"])}

    def _real_windows(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        """Return the same of real samples."""
        gain = self.declared.gain
        if gain is None:
            return {}
        shape, exponent = self.recorded[gain.window][rows].shape, self.recorded[EXPONENT][rows].astype(int)
        waveform = self.recorded[gain.inputs[gain.window]][rows].astype(np.float64).reshape(shape)
        return {gain.window: np.ldexp(waveform, -_spread(exponent, len(shape)))}


def _answered(mean: PhasorMean, found: Arrays) -> np.ndarray:
    real, imaginary = np.split(found[mean.sum], 2, axis=-1)
    return np.maximum(np.hypot(real, imaginary) / found[mean.count] + found[mean.correction], 0)


def _spread(values: np.ndarray, rank: int) -> np.ndarray:
    return values.reshape(values.shape + (1,) * (rank - values.ndim))


def _tensor(values: np.ndarray, like: Tensor) -> Tensor:
    return torch.from_numpy(np.asarray(values)).to(like.dtype).reshape(-1, *like.shape[1:])
