"""A network's integer graphs over the windows of a record."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from microstage.errors import ArtefactError
from microstage.estimation.steps import HALF
from microstage.integer import Interpreter
from microstage.integer.sequence import each_step, run_sequence
from microstage.interface.answer import PhasorMean
from microstage.interface.gain import EXPONENT, Gain
from microstage.interface.recurrence import Recurrence
from microstage.signals import block_float
from microstage.signals.gain import bits_at
from microstage.signals.settle import Settling, real_answer
from microstage.untrusted.onnx_file import read_onnx

__all__ = ["ORDERS", "HarmonicEstimator"]

ORDERS = ("H1", "H3", "H5", "H7")
_AT_ONCE = 256

Shown = Callable[[Iterable[Any], int], Iterator[Any]]


class HarmonicEstimator:
    """The graphs in a folder that qcdq wrote, or one of that form: `interface.json`, and the parts that it names.

    `length` is what one window has of samples, and `hop` how far the next lies behind it.
    """

    def __init__(self, folder: Path) -> None:
        self._interface = json.loads((folder / "interface.json").read_text())
        sequence, gain = Recurrence.read(self._interface), Gain.read(self._interface)
        if sequence is None or gain is None or sequence.head is None:
            raise ArtefactError(f"{folder} is no network of windows with a gain; estimate-file needs one.")
        self.sequence, self.gain, self.mean = sequence, gain, PhasorMean.read(self._interface)
        parts = self._interface["parts"]
        self._parts = {part: Interpreter(read_onnx(folder / parts[part]["file"])) for part in sequence.parts}
        self._head = parts[sequence.head]["outputs"]
        self.length, self._bits = self._window()
        self.hop = self.length if sequence.carried else min(self.length, HALF)
        answer = self.mean.correction if self.mean else next(iter(gain.outputs))
        if (answers := prod(self._head[answer]["shape"])) != len(ORDERS):
            raise ArtefactError(f"{folder} answers {answers} values; estimate-file needs {', '.join(ORDERS)}.")

    def _window(self) -> tuple[int, int]:
        """Return (samples, bits) of a window: of the part that reads it, or of as many steps of the cell."""
        for part in self.sequence.parts:
            said = self._interface["parts"][part]["inputs"].get(self.gain.window)
            if said is not None:
                return prod(said["shape"]), bits_at(said["scale"])
        step = next(name for name, of in self.sequence.steps.items() if of == self.gain.window)
        said = self._interface["parts"][self.sequence.cell]["inputs"][step]
        return self.sequence.length * prod(said["shape"]), bits_at(said["scale"])

    def amplitudes(self, runs: Sequence[np.ndarray], shown: Shown) -> np.ndarray:
        """Return peak amplitudes [n, 4] for the windows of all `runs` [L, length], whose n follow one another.

        A network that carries states goes on from window to window of a run; any other begins anew at each. `shown` is
        told what is done, and of how much.
        """
        reading = self._going_on if self.sequence.carried else self._one_by_one
        return reading(runs, shown)

    def _going_on(self, runs: Sequence[np.ndarray], shown: Shown) -> np.ndarray:
        """Return all runs at once, a step each; the shorter ones are followed by silence that nobody listens to."""
        longest = max(map(len, runs))
        windows = np.stack([np.concatenate([run, np.zeros((longest - len(run), self.length))]) for run in runs])
        integers, exponent = block_float(windows, self.gain.exponents, self._bits)
        given = {self.gain.window: integers, EXPONENT: exponent}
        steps = shown(each_step(self.sequence, self._parts, given, Settling.read(self._interface)), longest)
        found = np.stack([self._answer(step, exponent[:, t]) for t, step in enumerate(steps)], axis=1)
        return np.concatenate([answers[: len(run)] for answers, run in zip(found, runs)])

    def _one_by_one(self, runs: Sequence[np.ndarray], shown: Shown) -> np.ndarray:
        windows, found = np.concatenate(runs), []
        starts = range(0, len(windows), _AT_ONCE)
        for first in shown(starts, len(starts)):
            integers, exponent = block_float(windows[first : first + _AT_ONCE], self.gain.exponents, self._bits)
            found.append(self._answer(run_sequence(self.sequence, self._parts, {self.gain.window: integers}), exponent))
        return np.concatenate(found)

    def _answer(self, found: Mapping[str, np.ndarray], exponent: np.ndarray) -> np.ndarray:
        """Return [n, 4] of one step each; an amplitude is never negative."""
        if self.mean is not None:
            scales = {name: self._head[name]["scale"] for name in self.mean.outputs}
            return real_answer(self.mean, scales, found, exponent)
        name = next(iter(self.gain.outputs))
        scale = np.asarray(self._head[name]["scale"], np.float64)
        return np.maximum(0.0, np.ldexp(found[name] * scale, exponent.astype(int)[:, None]))
