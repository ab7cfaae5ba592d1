"""Exact synchronous resampling, and cutting a record into windows."""

from __future__ import annotations

import numpy as np

from microstage.errors import DatasetError, ParameterError

__all__ = ["MIN_SAMPLES", "SAMPLES_PER_CYCLE", "resample_synchronous", "window_length", "windows"]

SAMPLES_PER_CYCLE = 64
MIN_SAMPLES = 6


def window_length(cycles: float) -> int:
    """Return N = round(64 * cycles), at least 6 samples; `ParameterError` below."""
    samples = round(SAMPLES_PER_CYCLE * cycles)
    if samples < MIN_SAMPLES:
        raise ParameterError(f"CYCLES={cycles:g} gives {samples} samples; a window needs at least {MIN_SAMPLES}.")
    return samples


def resample_synchronous(x: np.ndarray, cycles: int, samples_per_cycle: int = SAMPLES_PER_CYCLE) -> np.ndarray:
    """Return `x` [.., L], exactly `cycles` whole cycles, at another rate: [.., cycles * samples_per_cycle].

    Exact for a periodic record: the DFT is cut or padded, so every component below the new Nyquist frequency keeps
    amplitude and phase, and everything at or above it is gone (it would fold back).
    """
    length, wanted = x.shape[-1], cycles * samples_per_cycle
    if length < 2 * cycles:
        raise DatasetError(f"{length} samples are too few for {cycles} cycles.")
    bins = np.fft.rfft(x, axis=-1)
    kept = (min(length, wanted) + 1) // 2  # the Nyquist bin of the lower rate is dropped: its phase is not known
    out = np.zeros((*bins.shape[:-1], wanted // 2 + 1), dtype=complex)
    out[..., :kept] = bins[..., :kept]
    return np.fft.irfft(out, wanted, axis=-1) * (wanted / length)


def windows(x: np.ndarray, length: int, hop: int = 1, periodic: bool = False) -> np.ndarray:
    """Return windows [n, length] of `x` [L], `hop` apart; a periodic record is read on from its start."""
    if periodic:
        x = np.concatenate([x, np.resize(x, length - 1)])
    if len(x) < length:
        raise DatasetError(f"A record of {len(x)} samples is shorter than one window of {length}.")
    return np.lib.stride_tricks.sliding_window_view(x, length)[::hop]
