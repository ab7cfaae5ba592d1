"""The wired estimate: complex weights from a window to the phasors of its harmonics, and integers in their place."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from microstage.models.harmonic.definition import HALF_CYCLE, HARMONICS, SAMPLES_PER_CYCLE, WIRED_BITS

__all__ = ["Wired", "fitted", "half_cycle", "wired_scale"]

_SWEEPS = 200
_EQUAL = 1e-9  # of what rounding costs: below it two roundings are as good


def wired_scale(samples: int) -> float:
    """Return what the kernels' integers are multiples of.

    Of half a cycle they reach 127. The less of a wave is seen, the larger are the weights that tell its harmonics
    apart.
    """
    if samples == HALF_CYCLE:
        return 2.0**-11
    return 2.0**-10 if samples > HALF_CYCLE else 2.0**-7 if samples >= HALF_CYCLE // 2 else 2.0**-5


@dataclass(frozen=True)
class Wired:
    """`kernels` [8, S], real parts of all harmonics before imaginary ones; `gram` [S, S]: mean products of the samples
    of windows, which tell how much a rounding matters."""

    kernels: np.ndarray
    gram: np.ndarray

    def rounded(self) -> np.ndarray:
        """Return multiples of `wired_scale` that answer windows as the kernels do."""
        scale, largest = wired_scale(self.kernels.shape[1]), 2 ** (WIRED_BITS - 1) - 1
        return scale * np.stack([_rounded(kernel / scale, self.gram, largest) for kernel in self.kernels])


def half_cycle(samples: int) -> Wired:
    """Return the DFT over half a cycle, for waves with half-wave symmetry.

    The fundamental is by far the largest part of them.
    """
    turns = np.outer(np.arange(1, HALF_CYCLE, 2), np.arange(samples)) / SAMPLES_PER_CYCLE
    waves = np.exp(-2j * np.pi * turns)
    weights = np.where(np.arange(len(waves)) == 0, 9.0, 0.1)
    gram = np.einsum("h,hs,ht->st", weights, waves, waves.conj()).real
    chosen = waves[[order // 2 for order in HARMONICS]] * 2 / samples
    return Wired(_split(chosen), gram)


def fitted(windows: np.ndarray, coefficients: np.ndarray, strength: float = 1e-9) -> Wired:
    """Return the best linear estimator of complex `coefficients` [n, 4] from windows [n, S], in the unit of both."""
    gram = windows.T @ windows / len(windows)
    ridge = gram + strength * np.trace(gram) / len(gram) * np.eye(len(gram))
    return Wired(_split(np.linalg.solve(ridge, windows.T @ coefficients / len(windows)).T), ridge)


def _split(weights: np.ndarray) -> np.ndarray:
    return np.concatenate([weights.real, weights.imag])


def _rounded(kernel: np.ndarray, gram: np.ndarray, largest: int) -> np.ndarray:
    """Return integers [S] near `kernel` with the least error on windows.

    From the nearest, single taps and pairs of taps are moved by one for as long as that helps.
    """
    found = np.clip(np.rint(kernel), -largest, largest)
    own, moves = np.diag(gram), [(d, e) for d in (-1, 1) for e in (-1, 0, 1)]
    for _ in range(_SWEEPS):
        slope = gram @ (found - kernel)
        costs = np.array([_costs(slope, gram, own, d, e) for d, e in moves])
        for index, (d, e) in enumerate(moves):
            costs[index][_beyond(found, d, e, largest)] = np.inf
        best = costs.min()
        if best > -_EQUAL * own.mean():
            return found
        move, i, j = np.unravel_index(np.argmax(costs.ravel() <= best + _EQUAL * own.mean()), costs.shape)
        found[i] += moves[move][0]
        found[j] += moves[move][1]
    return found


def _costs(slope: np.ndarray, gram: np.ndarray, own: np.ndarray, d: int, e: int) -> np.ndarray:
    """Return by how much the squared error grows where tap i is moved by `d` and tap j by `e`: [S, S]."""
    costs = (2 * d * slope + own * d * d)[:, None] + (2 * e * slope + own * e * e)[None] + 2 * d * e * gram
    np.fill_diagonal(costs, np.inf)
    return costs


def _beyond(found: np.ndarray, d: int, e: int, largest: int) -> np.ndarray:
    """Return which pairs would leave the integers' range."""
    return (np.abs(found + d) > largest)[:, None] | (np.abs(found + e) > largest)[None]
