"""Recordings at any rate: the mains frequency they ran at, and 64 samples for each of its cycles."""

from __future__ import annotations

import math

import numpy as np

from microstage.errors import DatasetError
from microstage.signals.windows import SAMPLES_PER_CYCLE

__all__ = ["LARGEST_DEVIATION", "fundamental_frequency", "place", "synchronise", "synchronise_around_gaps"]

LARGEST_DEVIATION = 0.05
_RESOLUTION = 1e-7  # of the nominal frequency
_DENSE = 512  # samples per cycle from which a cubic spline is exact to -100 dB at the harmonics used
_PASSED = 0.9  # of the lower Nyquist frequency
_ATTENUATION = 8.0  # Kaiser's beta: about -80 dB
_FILTER_CYCLES = 2
_MOST_CYCLES = 1 << 16  # 18 minutes at 60 Hz, and 3 GB for the spline
_LEAST_CYCLES = 3.5  # what the filter takes, and one whole cycle at any rate: four recorded at 59.9 Hz are 3.99


def fundamental_frequency(x: np.ndarray, rate: float, nominal: float) -> float:
    """Return the mains frequency in Hz of `x` [L] at `rate` Hz.

    It is the peak of the Hann-windowed spectrum within 5 % of `nominal`. Missing samples (NaN) count as nothing, which
    moves the peak little. `DatasetError` for less than two cycles, and where another frequency between half and one and
    a half is louder.
    """
    from scipy.signal import zoom_fft

    known = np.isfinite(x)
    if known.sum() < 2 * rate / nominal:
        raise DatasetError(f"{known.sum()} samples at {rate:g} Hz are less than two cycles of {nominal:g} Hz.")
    weighted = np.where(known, x - x[known].mean(), 0.0) * np.hanning(len(x) + 2)[1:-1]

    def loudest(low: float, high: float, count: int) -> float:
        levels = np.abs(zoom_fft(weighted, [low, high], count, fs=rate, endpoint=True))
        return np.linspace(low, high, count)[np.argmax(levels)]

    count = max(201, 2 * math.ceil(len(x) / rate * nominal) + 1)  # two to a line of the spectrum: none is passed over
    found, step = loudest(0.5 * nominal, 1.5 * nominal, count), nominal / (count - 1)
    if abs(found - nominal) > LARGEST_DEVIATION * nominal:
        raise DatasetError(f"no {nominal:g} Hz fundamental: the loudest thing near it is at {found:.3g} Hz.")
    while step > _RESOLUTION * nominal:
        found, step = loudest(found - step, found + step, 21), step / 10
    return float(found)


def synchronise(x: np.ndarray, rate: float, frequency: float) -> np.ndarray:
    """Return `x` [L] at `rate` Hz as 64 samples per cycle of `frequency`, band-limited below both Nyquist frequencies.

    A zero-phase low-pass of two cycles, then a cubic spline over at least 512 points a cycle; the cycle at either end,
    which the filter would distort, is left out. `DatasetError` for less than 16 samples a cycle, or 3.5 cycles, or too
    many of them.
    """
    from scipy import signal
    from scipy.interpolate import CubicSpline

    per_cycle = rate / frequency
    if per_cycle < 16:
        raise DatasetError(f"{rate:g} Hz are {per_cycle:.3g} samples a cycle; the seventh harmonic needs at least 16.")
    if len(x) < _LEAST_CYCLES * per_cycle:
        raise DatasetError(
            f"{len(x)} samples are {len(x) / per_cycle:.3g} cycles; at least {_LEAST_CYCLES} are needed."
        )
    if len(x) > _MOST_CYCLES * per_cycle:
        raise DatasetError(
            f"{len(x)} samples are {len(x) / per_cycle:.0f} cycles; at most {_MOST_CYCLES} are read: cut the record."
        )
    up = max(1, math.ceil(_DENSE / per_cycle))
    half = _half(per_cycle) * up
    edge = _PASSED * min(per_cycle, SAMPLES_PER_CYCLE) / (per_cycle * up)  # over the dense Nyquist frequency
    taps = signal.firwin(2 * half + 1, edge, window=("kaiser", _ATTENUATION))
    dense = signal.upfirdn(taps * up, x, up)[2 * half : 2 * half + (len(x) - 1) * up + 1 - 2 * half]
    spline = CubicSpline(np.arange(len(dense)), dense)
    step = per_cycle * up / SAMPLES_PER_CYCLE
    return spline(np.arange(int((len(dense) - 1) / step) + 1) * step)


def synchronise_around_gaps(x: np.ndarray, rate: float, frequency: float) -> tuple[np.ndarray, np.ndarray]:
    """Return (`synchronise` of `x` [L], bool [L]: whether every sample that the filter saw is known).

    `x` is NaN where samples are missing.
    """
    known = np.isfinite(x)
    places = np.arange(len(x))
    samples = synchronise(np.interp(places, places[known], x[known]), rate, frequency)
    per_cycle = rate / frequency
    missing = np.concatenate([[0], np.cumsum(~known)])
    centre, reach = place(np.arange(len(samples)), per_cycle), _half(per_cycle) + 1
    low = np.clip(np.floor(centre - reach), 0, len(x)).astype(int)
    high = np.clip(np.ceil(centre + reach) + 1, 0, len(x)).astype(int)
    return samples, missing[low] == missing[high]


def place(index: np.ndarray, per_cycle: float) -> np.ndarray:
    """Return where in the original record, in its samples, `synchronise` took its sample `index` from."""
    return _half(per_cycle) + np.asarray(index) * per_cycle / SAMPLES_PER_CYCLE


def _half(per_cycle: float) -> int:
    """Return the low-pass's reach to either side, in samples of the record."""
    return round(_FILTER_CYCLES / 2 * per_cycle)
