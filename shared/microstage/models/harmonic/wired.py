"""The kernels of the wired estimate: a harmonic's amplitude is the sum of its half-wave rectified projections on phases
around the circle, times pi over their number."""

from __future__ import annotations

import numpy as np

from microstage.models.harmonic.definition import HALF_CYCLE, HARMONICS, PHASES, SAMPLES_PER_CYCLE, WIRED_BITS

__all__ = ["half_cycle", "projections", "wired_scale"]


def half_cycle(samples: int) -> np.ndarray:
    """Complex weights [4, samples] of the DFT over half a cycle: amplitudes of waves with half-wave symmetry."""
    turns = np.outer(HARMONICS, np.arange(samples)) / SAMPLES_PER_CYCLE
    return np.exp(-2j * np.pi * turns) * 2 / samples


def projections(weights: np.ndarray) -> np.ndarray:
    """Kernels [4 * PHASES, S] whose rectified answers add up to |weights [4, S] @ window|."""
    turned = weights[:, None] * np.exp(2j * np.pi * np.arange(PHASES) / PHASES)[:, None]
    return turned.real.reshape(-1, weights.shape[1]) * (np.pi / PHASES)


def wired_scale(samples: int) -> float:
    """What the kernels' integers are multiples of: of half a cycle they reach 99; shorter windows need larger ones."""
    return 2.0**-15 if samples >= HALF_CYCLE else 2.0**-13
