"""Waveforms of known content: loads that are switched, mains off their frequency, DC, interharmonics, noise."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from microstage.datasets.power.sequences import MEASURED, Sequences, cut_in_steps
from microstage.signals import SAMPLES_PER_CYCLE

__all__ = ["LOADS", "NEVER", "ORDERS", "STAGES", "World", "sequences_of", "steady"]

ORDERS = np.arange(1, 26)
LOADS, STAGES = 2, 3  # of each sequence: loads that add up, and stretches of time with gains of their own
NEVER = 1 << 40  # the sample of a change that does not happen
_ROWS = 32  # sequences at a time: what they need stays in the processor's cache


@dataclass(frozen=True)
class World:
    """What n sequences hold. All sizes are relative to `amplitude`, all times are in samples, at 64 a nominal cycle.

    `loads` [n, 2, 25]: complex amplitudes of each load's harmonics 1 to 25 at sample 0. `gains` [n, 3, 2] of the loads
    in each stage; the second and the third stage begin at `changes` [n, 2]. `deviation` [n]: the frequency's, relative.
    `decay` [n] is DC that begins at `onset` and falls to 1/e within `tau`; `offset` is DC that stays. `between` [n, 2]:
    complex amplitudes at the orders `between_orders`. `noise` [n]: its root mean square.
    """

    amplitude: np.ndarray
    loads: np.ndarray
    gains: np.ndarray
    changes: np.ndarray
    deviation: np.ndarray
    offset: np.ndarray
    decay: np.ndarray
    tau: np.ndarray
    onset: np.ndarray
    between: np.ndarray
    between_orders: np.ndarray
    noise: np.ndarray

    def __len__(self) -> int:
        return len(self.amplitude)

    def __getitem__(self, rows: slice) -> World:
        return World(*(getattr(self, field.name)[rows] for field in fields(self)))


def steady(amplitude: np.ndarray, first_load: np.ndarray) -> World:
    """Return a world of `first_load` [n, 25] alone, at nominal frequency, with nothing beside it."""
    count = len(amplitude)
    zero, pair = np.zeros(count), np.zeros((count, 2))
    loads = np.stack([first_load, np.zeros_like(first_load)], axis=1)
    gains = np.zeros((count, STAGES, LOADS))
    gains[:, :, 0] = 1.0
    never = np.full((count, STAGES - 1), NEVER)
    return World(
        amplitude, loads, gains, never, zero, zero, zero, zero + 1.0, zero, pair.astype(complex), pair + 1.5, zero
    )


def sequences_of(world: World, steps: int, length: int, rng: np.random.Generator, source: str) -> Sequences:
    """Return sequences of `steps` windows of `length` samples; the truth of each is what sounds at its last sample."""
    x = world.noise[:, None] * rng.standard_normal((len(world), steps * length))
    for start in range(0, len(world), _ROWS):
        x[start : start + _ROWS] += _waveform(world[start : start + _ROWS], steps * length)
    ends = np.arange(1, steps + 1) * length - 1
    last = np.where(world.changes < steps * length, world.changes, 0).max(1)
    return Sequences(
        cut_in_steps(world.amplitude[:, None] * x, length),
        world.amplitude[:, None, None] * _coefficients(world, ends, length),
        np.full(len(world), source),
        last,
    )


def _waveform(world: World, samples: int) -> np.ndarray:
    """Return [n, samples], without the noise, over `amplitude`."""
    t = np.arange(samples)
    turns = (1 + world.deviation)[:, None] * t / SAMPLES_PER_CYCLE
    once = np.exp(2j * np.pi * turns)
    stage = _stage(world, t)
    x = np.repeat(world.offset[:, None], samples, axis=1)
    for load in range(LOADS):
        used = world.gains[:, :, load].any(1)
        gain = np.take_along_axis(world.gains[used, :, load], stage[used], axis=1)
        x[used] += gain * _harmonics(world.loads[used, load], once[used])
    for order, phasor in zip(world.between_orders.T, world.between.T):
        heard = phasor != 0
        x[heard] += (phasor[heard, None] * np.exp(2j * np.pi * order[heard, None] * turns[heard])).real
    since = t - world.onset[:, None]
    return x + np.where(since >= 0, world.decay[:, None] * np.exp(-np.maximum(since, 0) / world.tau[:, None]), 0.0)


def _harmonics(phasors: np.ndarray, once: np.ndarray) -> np.ndarray:
    """Return the sum over h of Re(phasors[:, h] once^h), by Horner's rule: [n, samples]."""
    total = np.zeros_like(once)
    for phasor in phasors.T[::-1]:
        total += phasor[:, None]
        total *= once
    return total.real


def _stage(world: World, t: np.ndarray) -> np.ndarray:
    """Tell which stage sample `t` [k] lies in: [n, k]."""
    return (t[None, :, None] >= world.changes[:, None, :]).sum(2)


def _coefficients(world: World, ends: np.ndarray, length: int) -> np.ndarray:
    """Return complex amplitudes [n, k, 4] of H1, H3, H5, H7 that sound at `ends` [k].

    They are as they are at each window's start.
    """
    gain = np.take_along_axis(world.gains, _stage(world, ends)[:, :, None], axis=1)
    phasors = np.einsum("nkl,nlh->nkh", gain, world.loads[:, :, MEASURED - 1])
    turns = np.multiply.outer(1 + world.deviation, ends + 1 - length)[:, :, None] * MEASURED / SAMPLES_PER_CYCLE
    return phasors * np.exp(2j * np.pi * turns)
