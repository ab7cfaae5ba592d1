"""Waveforms under which an instrument is tried: one disturbance each, in whose absence the half-cycle DFT is exact."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from microstage.datasets.power.generator import INTERHARMONICS, SPECTRA
from microstage.datasets.power.sequences import Sequences
from microstage.datasets.power.world import NEVER, ORDERS, World, sequences_of, steady

__all__ = ["CONDITIONS", "STEP", "stressed"]

STEP = "step to half"
_CURRENT = 40.0  # A, peak
_VOLTAGE = {50: 230.0 * 2**0.5, 60: 120.0 * 2**0.5}
_CYCLE = 64  # samples
_SIX_PULSE = {order: 1 / order for order in (5, 7, 11, 13, 17, 19, 23, 25)}

Change = Callable[[World, float, np.random.Generator], World]  # the world, the mains frequency in Hz


def stressed(
    condition: str, count: int, steps: int, length: int, rng: np.random.Generator, channel: str, frequency: int
) -> Sequences:
    """Return sequences of an EV charger's 40 A, or of a mains voltage, at any phase, under one of `CONDITIONS`.

    The step comes at any sample of the second cycle.
    """
    size = _CURRENT if channel == "current" else _VOLTAGE[frequency]
    phasors = np.zeros((count, len(ORDERS)), complex)
    phasors[:, 0] = 1.0
    phasors[:, 2:15:2] = SPECTRA["ev_charger" if channel == "current" else "voltage"]
    phasors *= np.exp(2j * np.pi * rng.random(phasors.shape))
    return sequences_of(
        CONDITIONS[condition](steady(np.full(count, size), phasors), frequency, rng), steps, length, rng, condition
    )


def _clean(world: World, frequency: float, rng: np.random.Generator) -> World:
    return world


def _six_pulse(world: World, frequency: float, rng: np.random.Generator) -> World:
    loads = np.zeros_like(world.loads)
    loads[:, 0, 0] = world.loads[:, 0, 0]
    for order, size in _SIX_PULSE.items():
        loads[:, 0, order - 1] = size * np.exp(2j * np.pi * rng.random(len(world)))
    return replace(world, loads=loads)


def _noise(decibels: float) -> Change:
    return lambda world, frequency, rng: replace(world, noise=np.full(len(world), 10 ** (-decibels / 20) / 2**0.5))


def _off(hertz: float) -> Change:
    return lambda world, frequency, rng: replace(
        world, deviation=rng.choice((-1.0, 1.0), len(world)) * hertz / frequency
    )


def _second_harmonic(world: World, frequency: float, rng: np.random.Generator) -> World:
    loads = world.loads.copy()
    loads[:, 0, 1] = 0.05 * np.exp(2j * np.pi * rng.random(len(world)))
    return replace(world, loads=loads)


def _interharmonics(world: World, frequency: float, rng: np.random.Generator) -> World:
    orders, sizes = np.array(INTERHARMONICS).T
    between = sizes * np.exp(2j * np.pi * rng.random((len(world), 2)))
    return replace(world, between=between, between_orders=np.tile(orders, (len(world), 1)))


def _decaying(world: World, frequency: float, rng: np.random.Generator) -> World:
    tau = _CYCLE * np.exp(rng.uniform(np.log(0.5), np.log(6.0), len(world)))
    return replace(world, decay=0.1 * rng.choice((-1.0, 1.0), len(world)), tau=tau)


def _step(world: World, frequency: float, rng: np.random.Generator) -> World:
    gains = np.stack([np.ones_like(world.gains[:, 0]), *[np.full_like(world.gains[:, 0], 0.5)] * 2], axis=1)
    begin = rng.integers(_CYCLE, 2 * _CYCLE, len(world))
    return replace(world, gains=gains, changes=np.stack([begin, np.full(len(world), NEVER)], axis=1))


CONDITIONS: dict[str, Change] = {
    "clean": _clean,
    "six-pulse": _six_pulse,
    **{f"noise {decibels} dB": _noise(decibels) for decibels in (60, 40, 30, 20)},
    **{f"+-{hertz:g} Hz": _off(hertz) for hertz in (0.5, 1, 2)},
    "H2 5 %": _second_harmonic,
    "interharmonics": _interharmonics,
    "decaying DC 10 %": _decaying,
    STEP: _step,
}
