"""Synthetic waveforms: the two published cases by name, and a mix of the loads that distort real mains."""

from __future__ import annotations

import numpy as np

from microstage.signals import SAMPLES_PER_CYCLE

__all__ = ["CASES", "synthesise"]

CASES = ("mix", "A1", "A2")
_NOMINAL_HZ = 50.0
_CASE_A = {1: (100.0, 152.0), 3: (30.0, 35.0), 5: (20.0, 0.0), 7: (15.0, 0.0)}
_INTERHARMONICS = ((84.4, 10.0), (385.6, 5.0))
_ORDERS = np.arange(1, 26)
# Relative amplitude of the odd harmonics 3, 5, 7, 9, 11, 13, 15: typical spectra of four kinds of load.
_LOADS = {
    "ev_charger": (0.03, 0.015, 0.012, 0.008, 0.006, 0.004, 0.003),
    "switched_mode": (0.75, 0.5, 0.28, 0.12, 0.06, 0.05, 0.04),
    "rectifier": (0.02, 0.25, 0.13, 0.01, 0.08, 0.06, 0.01),
    "dimmer": (0.4, 0.18, 0.13, 0.1, 0.08, 0.07, 0.06),
}


def synthesise(case: str, count: int, length: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """(windows [count, length], complex coefficients [count, 4]) at 64 samples per nominal cycle; amplitudes are peak values.

    A1 and A2 are those of Li et al., IEEE Trans. Ind. Electron. 71(3), 2023: 100/30/20/15 at 152/35/0/0 degrees, +-0.5 %
    frequency, +-1 % amplitude, 26 dB white noise; A2 adds interharmonics. `mix` is ours: any phase, three decades of
    amplitude, even harmonics, DC, frequency deviation on every component, little noise.
    """
    return _mix(count, length, rng) if case == "mix" else _case_a(count, length, rng, case == "A2")


def _case_a(count: int, length: int, rng: np.random.Generator, interharmonics: bool) -> tuple[np.ndarray, np.ndarray]:
    deviation = 1 + rng.uniform(-0.005, 0.005, (count, 1))
    start = rng.uniform(0, 1, (count, 1))  # where in the cycle the window begins
    turns = start + deviation * np.arange(length) / SAMPLES_PER_CYCLE
    truth = np.array([a for a, _ in _CASE_A.values()]) * (1 + rng.uniform(-0.01, 0.01, (count, 4)))
    x = np.zeros((count, length))
    for column, (order, (_, degrees)) in enumerate(_CASE_A.items()):
        x += truth[:, column : column + 1] * np.cos(2 * np.pi * order * turns + np.radians(degrees))
    if interharmonics:
        for frequency, amplitude in _INTERHARMONICS:
            x += amplitude * np.cos(2 * np.pi * frequency / _NOMINAL_HZ * turns + rng.uniform(0, 2 * np.pi, (count, 1)))
    power = (truth**2).sum(1, keepdims=True) / 2
    angles = 2 * np.pi * start * list(_CASE_A) + np.radians([degrees for _, degrees in _CASE_A.values()])
    return x + rng.standard_normal(x.shape) * np.sqrt(power / 10**2.6), truth * np.exp(1j * angles)


def _mix(count: int, length: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    relative = _relative_spectra(count, rng)
    amplitude = 10 ** rng.uniform(np.log10(0.05), np.log10(50.0), (count, 1))
    phase = rng.uniform(0, 2 * np.pi, (count, len(_ORDERS)))
    turns = (1 + rng.normal(0, 0.0005, (count, 1))) * np.arange(length) / SAMPLES_PER_CYCLE
    x = np.zeros((count, length))
    for column, order in enumerate(_ORDERS):
        x += relative[:, column : column + 1] * np.cos(2 * np.pi * order * turns + phase[:, column : column + 1])
    x += rng.normal(0, 0.003, (count, 1)) + rng.standard_normal(x.shape) * 0.002
    return amplitude * x, amplitude * (relative * np.exp(1j * phase))[:, [0, 2, 4, 6]]


def _relative_spectra(count: int, rng: np.random.Generator) -> np.ndarray:
    """[count, 25] relative to the fundamental; each load's spectrum times a log-normal spread of its own."""
    loads = np.zeros((len(_LOADS), len(_ORDERS)))
    loads[:, 2:15:2] = list(_LOADS.values())
    relative = loads[rng.choice(len(_LOADS), count, p=(0.55, 0.15, 0.15, 0.15))]
    relative = relative * np.exp(rng.normal(0, 0.8, relative.shape))
    even = np.exp(rng.normal(np.log(0.002), 1.0, relative.shape))
    relative[:, 1::2] = even[:, 1::2]
    relative[:, 0] = 1.0
    return np.minimum(relative, 1.0)
