"""Signal processing of power waveforms: IEC 61000-4-7 ground truth, windows, gain, textbook estimators."""

from __future__ import annotations

from microstage.signals.baselines import (
    full_window_dft,
    half_cycle_coefficients,
    half_cycle_dft,
    interpolated_dft,
    least_squares_odd,
)
from microstage.signals.gain import EXPONENTS, LARGEST, WINDOW_SCALE, block_float
from microstage.signals.harmonics import groups, harmonic_amplitudes, harmonic_coefficients, subgroups, thd
from microstage.signals.learnt import constant, linear_regression, nearest_neighbour, ridge
from microstage.signals.running import aligned, gated_mean, running_mean
from microstage.signals.windows import SAMPLES_PER_CYCLE, resample_synchronous, window_length, windows

__all__ = [
    "EXPONENTS",
    "LARGEST",
    "SAMPLES_PER_CYCLE",
    "WINDOW_SCALE",
    "aligned",
    "block_float",
    "constant",
    "full_window_dft",
    "gated_mean",
    "groups",
    "half_cycle_coefficients",
    "half_cycle_dft",
    "harmonic_amplitudes",
    "harmonic_coefficients",
    "interpolated_dft",
    "least_squares_odd",
    "linear_regression",
    "nearest_neighbour",
    "resample_synchronous",
    "ridge",
    "running_mean",
    "subgroups",
    "thd",
    "window_length",
    "windows",
]
