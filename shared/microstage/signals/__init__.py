"""Signal processing of power waveforms: IEC 61000-4-7 ground truth, windows, gain, textbook estimators."""

from __future__ import annotations

from microstage.signals.baselines import full_window_dft, half_cycle_dft, least_squares_odd, nearest_neighbour, ridge
from microstage.signals.gain import EXPONENTS, LARGEST, WINDOW_SCALE, block_float
from microstage.signals.harmonics import groups, harmonic_amplitudes, harmonic_coefficients, subgroups, thd
from microstage.signals.windows import SAMPLES_PER_CYCLE, resample_synchronous, window_length, windows

__all__ = [
    "EXPONENTS",
    "LARGEST",
    "SAMPLES_PER_CYCLE",
    "WINDOW_SCALE",
    "block_float",
    "full_window_dft",
    "groups",
    "half_cycle_dft",
    "harmonic_amplitudes",
    "harmonic_coefficients",
    "least_squares_odd",
    "nearest_neighbour",
    "resample_synchronous",
    "ridge",
    "subgroups",
    "thd",
    "window_length",
    "windows",
]
