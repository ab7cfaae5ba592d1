"""A synthetic machine, heard: a rotor with a gear and a fan. Healthy, or with one of four faults.

It is no recording: it exists so that anomaly detection runs, is tested and can be timed where no recordings are at
hand. Each clip has a speed, a load and a room of its own.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

__all__ = ["FAULTS", "RATE", "SECONDS", "clip"]

RATE, SECONDS = 16000, 2
_SAMPLES = RATE * SECONDS
_TIME = np.arange(_SAMPLES) / RATE
_TEETH, _BALLS, _MAINS = 31, 3.57, 50.0  # tooth contacts and ball passages per turn; hertz


def clip(fault: str, rng: np.random.Generator) -> np.ndarray:
    """Return float64 [samples] of a machine with `fault`; "" is a healthy one."""
    speed = rng.uniform(23, 27) * (1 + 0.01 * np.sin(2 * np.pi * rng.uniform(0.2, 1) * _TIME + rng.uniform(0, 6)))
    turns = np.cumsum(speed) / RATE
    sound = _rotor(turns, rng) + _gear(turns, rng) + _fan(turns, rng)
    if fault:
        sound = sound + FAULTS[fault](turns, rng)
    return sound * rng.uniform(0.9, 1.1) + rng.normal(0, 0.003, _SAMPLES)


def _rotor(turns: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    sizes = rng.uniform(0.8, 1.2, 6) * 0.1 / np.arange(1, 7)
    return sum(size * _tone(order * turns, rng) for order, size in enumerate(sizes, 1))


def _gear(turns: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    loaded = 1 + 0.15 * _tone(turns, rng)
    return loaded * sum(0.04 / order * _tone(order * _TEETH * turns, rng) for order in (1, 2, 3))


def _fan(turns: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return _noise(rng, 1.0) * 0.06 * (1 + 0.2 * _tone(7 * turns, rng))


def _clicks(turns: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A ball runs over a flaw: each time it rings."""
    passed = np.diff(np.floor(_BALLS * turns), prepend=0) > 0
    ringing = np.exp(-_TIME[:400] * 900) * np.sin(2 * np.pi * rng.uniform(2800, 4500) * _TIME[:400])
    return np.convolve(passed * rng.uniform(0.5, 1.5, _SAMPLES), ringing)[:_SAMPLES] * rng.uniform(0.03, 0.15)


def _imbalance(turns: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The rotor shakes once a turn, and what it is bolted to rattles."""
    shaken = _tone(turns, rng)
    return rng.uniform(0.1, 0.3) * shaken + _noise(rng, 0.5) * rng.uniform(0.03, 0.1) * np.maximum(shaken, 0)


def _hum(turns: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The motor takes an uneven current: harmonics of the mains, whatever the speed."""
    return rng.uniform(0.02, 0.08) * sum(_tone(order * _MAINS * _TIME, rng) for order in (2, 6, 12, 18, 24))


def _worn_tooth(turns: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One tooth of the gear strikes, once a turn."""
    strikes = np.exp(-60 * (turns % 1)) * _noise(rng, 0.0)
    return strikes * rng.uniform(0.05, 0.2)


FAULTS: dict[str, Callable[[np.ndarray, np.random.Generator], np.ndarray]] = {
    "bearing clicks": _clicks,
    "imbalance": _imbalance,
    "hum": _hum,
    "worn tooth": _worn_tooth,
}


def _tone(turns: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A sine per turn, at any phase."""
    return np.sin(2 * np.pi * (turns + rng.uniform()))


def _noise(rng: np.random.Generator, slope: float) -> np.ndarray:
    """Return noise of standard deviation 1 whose amplitude falls with frequency to the power of `slope` / 2."""
    spectrum = np.fft.rfft(rng.normal(size=_SAMPLES))
    noise = np.fft.irfft(spectrum / np.maximum(np.arange(len(spectrum)), 50.0) ** (slope / 2), _SAMPLES)
    return noise / noise.std()
