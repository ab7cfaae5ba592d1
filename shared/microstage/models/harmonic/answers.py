"""What the network and its rivals answer to sequences of windows, in the recording's unit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from microstage.datasets.power.sequences import Sequences, joined
from microstage.models.harmonic.steps import Stepped, answer
from microstage.signals import (
    EXPONENTS,
    SAMPLES_PER_CYCLE,
    aligned,
    block_float,
    constant,
    gated_mean,
    half_cycle_coefficients,
    half_cycle_dft,
    interpolated_dft,
    least_squares_odd,
    linear_regression,
    nearest_neighbour,
    ridge,
    running_mean,
)

__all__ = ["Methods"]

_BATCH = 256  # sequences
_HALF = SAMPLES_PER_CYCLE // 2
Answers = dict[str, np.ndarray]


@dataclass(frozen=True)
class Methods:
    """The network, its float twin, and what rivals learn from: `fitted` are whole windows to train and choose by."""

    network: Stepped
    twin: Stepped
    bits: int
    steps: int
    fitted: tuple[Sequences, Sequences]

    def stepping(self, sequences: Sequences) -> Answers:
        """Return {method: amplitudes [n, L, 4] at the end of each step}.

        Every method has seen the steps up to there alone.
        """
        x, found = sequences.windows, self._networks(sequences.windows)
        coefficients = self._of_one_step(x)
        along, size = aligned(coefficients, x.shape[2]), np.abs(coefficients)
        return {
            **found, self.estimator: size, "running_mean": running_mean(size), "gated_mean": gated_mean(size),
            "running_dft": np.abs(running_mean(along)), "gated_dft": np.abs(gated_mean(along)),
        }  # fmt: skip

    def of_windows(self, sequences: Sequences) -> Answers:
        """Return {method: amplitudes [n, 4]} of the first steps, as many as the network's window has."""
        first = sequences.windows[:, : self.steps]
        means = {"running_mean": running_mean(np.abs(self._of_one_step(first)))[:, -1]} if self.steps > 1 else {}
        return {**self.beside_the_estimator(sequences), **means, **self._others(first.reshape(len(first), -1))}

    def beside_the_estimator(self, sequences: Sequences) -> Answers:
        """Return as `of_windows`, of the network in its three forms and of the estimator alone."""
        first = sequences.windows[:, : self.steps]
        x = first.reshape(len(first), -1)
        own = {name: answers[:, -1] for name, answers in self._networks(first).items()}
        return {**own, self.estimator: half_cycle_dft(x) if self._of_half_cycles else self._by_regression(x)}

    @property
    def estimator(self) -> str:
        """What answers from one step alone: the half-cycle DFT, and linear regression where a step is shorter."""
        return "half_cycle_dft" if self._of_half_cycles else "linear_regression"

    @property
    def goes_on(self) -> bool:
        """Tell whether states carry from step to step.

        They do where a step is half a cycle, by which odd harmonics turn by half a turn.
        """
        return self._length == _HALF

    @property
    def _of_half_cycles(self) -> bool:
        return self._length >= _HALF

    @property
    def _length(self) -> int:
        return self.fitted[0].windows.shape[2] // self.steps

    def ceiling(self, sequences: Sequences) -> np.ndarray:
        """Return amplitudes [n, 4] by the interpolated DFT over whole sequences."""
        return _in_batches(interpolated_dft, sequences.windows.reshape(len(sequences), -1))

    def _of_one_step(self, windows: np.ndarray) -> np.ndarray:
        """Return complex amplitudes [n, L, 4] at each step's first sample."""
        return (
            half_cycle_coefficients(windows)
            if self._of_half_cycles
            else linear_regression(_pair(joined(self.fitted)), windows)
        )

    def _by_regression(self, x: np.ndarray) -> np.ndarray:
        return np.abs(linear_regression(_pair(joined(self.fitted)), x))

    def _others(self, x: np.ndarray) -> Answers:
        train, held_out = map(_pair, self.fitted)
        integers = {"integer_dft": half_cycle_dft(self._as_integers(x))} if self._of_half_cycles else {}
        return {
            **integers, "least_squares": least_squares_odd(x), "linear_regression": self._by_regression(x),
            "ridge": ridge(train, held_out, x), "nearest_neighbour": nearest_neighbour(train, x),
            "constant": constant(train, x),
        }  # fmt: skip

    def _as_integers(self, x: np.ndarray) -> np.ndarray:
        """Return `x` [n, N] as the network is given it, each step at a gain of its own."""
        steps = x.reshape(len(x), self.steps, -1)
        integers, exponent = block_float(steps, EXPONENTS, self.bits)
        return np.ldexp(integers, exponent.astype(int)[..., None] + 1 - self.bits).reshape(x.shape)

    def _networks(self, windows: np.ndarray) -> Answers:
        """Return the network, its twin, and the network with the learnt correction left out."""
        integers, exponent = block_float(windows, EXPONENTS, self.bits)
        exponent = exponent.astype(int)
        shift = np.diff(exponent, axis=1, prepend=exponent[:, :1]).astype(np.float32)
        inputs = (
            torch.from_numpy(integers.astype(np.float32) * np.float32(2.0 ** (1 - self.bits))),
            torch.from_numpy(shift),
        )
        found = {name: np.ldexp(relative, exponent[..., None]) for name, relative in self._relative(*inputs).items()}
        return {name: found[name] for name in ("network", "float", "uncorrected")}

    @torch.no_grad()
    def _relative(self, windows: torch.Tensor, shift: torch.Tensor) -> Answers:
        found: dict[str, list[np.ndarray]] = {"network": [], "float": [], "uncorrected": []}
        for part in zip(windows.split(_BATCH), shift.split(_BATCH)):
            own, twin = self.network.eval().sequence(*part), self.twin.eval().sequence(*part)
            bare = answer(own.sum, own.count, torch.zeros_like(own.correction))
            for name, value in zip(found, (own.amplitudes, twin.amplitudes, bare)):
                found[name].append(value.numpy().astype(np.float64))
        return {name: np.concatenate(parts) for name, parts in found.items()}


def _pair(sequences: Sequences) -> tuple[np.ndarray, np.ndarray]:
    return sequences.windows[:, 0], sequences.coefficients[:, 0]


def _in_batches(method: Callable[[np.ndarray], np.ndarray], x: np.ndarray) -> np.ndarray:
    return np.concatenate([method(part) for part in np.array_split(x, -(-len(x) // _BATCH))])
