"""What synthetic waveforms hold: a broad mix of loads and disturbances, and the two published cases by name."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from microstage.datasets.power.sequences import Sequences
from microstage.datasets.power.world import NEVER, ORDERS, World, sequences_of, steady

__all__ = ["CASES", "INTERHARMONICS", "SPECTRA", "draw_world", "spectra", "synthesise"]

CASES = ("mix", "A1", "A2")
_NOMINAL_HZ = 50.0  # of the published cases
_CASE_A = {1: (100.0, 152.0), 3: (30.0, 35.0), 5: (20.0, 0.0), 7: (15.0, 0.0)}
INTERHARMONICS = ((84.4 / _NOMINAL_HZ, 0.1), (385.6 / _NOMINAL_HZ, 0.05))  # order, size over the fundamental
# Relative amplitude of the odd harmonics 3, 5, 7, 9, 11, 13, 15: typical spectra of loads, and of a voltage.
SPECTRA = {
    "ev_charger": (0.03, 0.015, 0.012, 0.008, 0.006, 0.004, 0.003),
    "switched_mode": (0.75, 0.5, 0.28, 0.12, 0.06, 0.05, 0.04),
    "rectifier": (0.02, 0.25, 0.13, 0.01, 0.08, 0.06, 0.01),
    "dimmer": (0.4, 0.18, 0.13, 0.1, 0.08, 0.07, 0.06),
    "published": (0.3, 0.2, 0.15, 0.0, 0.0, 0.0, 0.0),
    "voltage": (0.01, 0.02, 0.012, 0.004, 0.006, 0.005, 0.003),
}
_DRAWN = {
    "current": (
        ("ev_charger", "switched_mode", "rectifier", "dimmer", "published"),
        (0.5, 0.15, 0.15, 0.1, 0.1),
        (0.05, 50.0),
    ),
    "voltage": (("voltage",), (1.0,), (1.0, 1000.0)),
}
_LARGEST_DEVIATION = 2.0  # Hz
_CYCLE = 64  # samples


def synthesise(
    case: str,
    count: int,
    steps: int,
    length: int,
    rng: np.random.Generator,
    channel: str = "current",
    nominal: int = 60,
) -> Sequences:
    """Return `count` sequences of `steps` windows of `length` samples, 64 to a cycle of `nominal` Hz.

    Amplitudes are peaks.

    A1 and A2 are those of Li et al., IEEE Trans. Ind. Electron. 71(3), 2023: 100/30/20/15 at 152/35/0/0 degrees,
    +-0.5 % frequency, +-1 % amplitude, 26 dB white noise; A2 adds interharmonics. `mix` is ours: see `draw_world`.
    """
    world = (
        draw_world(count, steps * length, rng, channel, nominal)
        if case == "mix"
        else _published(count, rng, case == "A2")
    )
    return sequences_of(world, steps, length, rng, case)


def draw_world(count: int, samples: int, rng: np.random.Generator, channel: str, nominal: int) -> World:
    """Draw loads of many kinds at any phase, over three decades of amplitude.

    Each disturbance is in a share of the sequences: frequency up to 2 Hz off, even orders, interharmonics, DC that
    decays within half a cycle to six, a second load, steps of amplitude and load, sags, starts from nothing, noise of
    20 to 60 dB.
    """
    loads = np.stack([spectra(count, rng, channel) for _ in range(2)], axis=1)
    loads[:, 1] *= (10 ** rng.uniform(-1.5, 0, count) * (rng.random(count) < 0.5))[:, None]
    low, high = _DRAWN[channel][2]
    amplitude = 10 ** rng.uniform(np.log10(low), np.log10(high), count)
    world = _switched(replace(steady(amplitude, loads[:, 0]), loads=loads), samples, rng)
    off = rng.uniform(-_LARGEST_DEVIATION, _LARGEST_DEVIATION, count) / nominal
    decibels = np.where(rng.random(count) < 0.5, rng.uniform(20, 60, count), rng.uniform(50, 80, count))
    level = np.sqrt((np.abs(loads) ** 2).sum((1, 2)))  # the peak of a sine of the same power
    world = _with_direct_current(world, level, samples, rng)
    orders, between = _interharmonics(count, rng)
    return replace(
        world,
        deviation=np.where(rng.random(count) < 0.7, off, rng.normal(0, 0.0005, count)),
        between_orders=orders,
        between=between * level[:, None],
        noise=level / np.sqrt(2) * 10 ** (-decibels / 20),
    )


def spectra(count: int, rng: np.random.Generator, channel: str) -> np.ndarray:
    """Return complex amplitudes [n, 25], the fundamental at 1.

    A typical spectrum times a log-normal spread, at any phase.

    Even orders are small in most, and up to a tenth in some.
    """
    names, shares, _ = _DRAWN[channel]
    typical = np.zeros((len(names), len(ORDERS)))
    typical[:, 2:15:2] = [SPECTRA[name] for name in names]
    relative = typical[rng.choice(len(names), count, p=shares)]
    relative = relative * np.exp(rng.normal(0, 0.8, relative.shape))
    even = np.exp(rng.normal(np.log(0.002), 1.0, relative.shape))
    even += (rng.random(count) < 0.2)[:, None] * rng.uniform(0, 0.1, relative.shape) / (ORDERS / 2) ** 2
    relative[:, 1::2] = even[:, 1::2]
    relative[:, 0] = 1.0
    return np.minimum(relative, 1.0) * np.exp(2j * np.pi * rng.random(relative.shape))


def _switched(world: World, samples: int, rng: np.random.Generator) -> World:
    """Put a step or a sag at any sample of half of the sequences: of all loads, or of the second where there is one."""
    count = len(world)
    begin = np.where(rng.random(count) < 0.5, rng.integers(1, samples, count), NEVER)
    sags = rng.random(count) < 0.2
    end = np.where(sags & (begin < samples), begin + rng.integers(_CYCLE // 4, 4 * _CYCLE, count), NEVER)
    of_second = (rng.random(count) < 0.5) & (world.loads[:, 1] != 0).any(1) & ~sags
    low = np.where(of_second | (rng.random(count) < 0.1), 0.0, 10 ** rng.uniform(-1, 0, count))
    one, falls = np.ones(count), (rng.random(count) < 0.5) | sags
    stages = np.stack([np.where(falls, one, low), np.where(falls, low, one), one], axis=1)
    gains = np.stack([np.where(of_second[:, None], 1.0, stages), stages], axis=2)
    gains[begin == NEVER] = 1.0
    return replace(world, gains=gains, changes=np.stack([begin, end], axis=1))


def _with_direct_current(world: World, level: np.ndarray, samples: int, rng: np.random.Generator) -> World:
    """Add a trace of DC to half of the sequences.

    To some it adds up to 30 % that decays, from a step on or from anywhere, before the start too.
    """
    count = len(world)
    size = level * rng.uniform(-0.3, 0.3, count) * (rng.random(count) < 0.6)
    begin = world.changes[:, 0]
    anywhere = rng.uniform(-4 * _CYCLE, samples, count)
    onset = np.where((begin < samples) & (rng.random(count) < 0.7), begin, anywhere)
    tau = _CYCLE * np.exp(rng.uniform(np.log(0.5), np.log(6.0), count))
    return replace(
        world, offset=level * rng.normal(0, 0.003, count) * (rng.random(count) < 0.5), decay=size, onset=onset, tau=tau
    )


def _interharmonics(count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return (orders [n, 2], complex amplitudes [n, 2]).

    One or two in a fifth of the sequences, between 0.2 % and 10 %.
    """
    orders = rng.integers(0, 12, (count, 2)) + rng.uniform(0.2, 0.8, (count, 2))
    size = 10 ** rng.uniform(-2.7, -1, (count, 2)) * (rng.random(count) < 0.2)[:, None]
    size[:, 1] *= rng.random(count) < 0.5
    return orders, size * np.exp(2j * np.pi * rng.random((count, 2)))


def _published(count: int, rng: np.random.Generator, interharmonics: bool) -> World:
    orders = np.array(list(_CASE_A))
    size, degrees = np.array(list(_CASE_A.values())).T
    phasors = np.zeros((count, len(ORDERS)), complex)
    start = rng.random((count, 1))  # where in the cycle the sequence begins
    jitter = 1 + rng.uniform(-0.01, 0.01, (count, len(orders)))
    phasors[:, orders - 1] = size * jitter * np.exp(1j * (2 * np.pi * orders * start + np.radians(degrees)))
    world = replace(
        steady(np.ones(count), phasors),
        deviation=rng.uniform(-0.005, 0.005, count),
        noise=np.sqrt((np.abs(phasors) ** 2).sum(1) / 2 / 10**2.6),
    )
    if not interharmonics:
        return world
    between_orders, sizes = np.array(INTERHARMONICS).T
    between = 100.0 * sizes * np.exp(2j * np.pi * rng.random((count, 2)))
    return replace(world, between=between, between_orders=np.tile(between_orders, (count, 1)))
