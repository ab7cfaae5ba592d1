"""Where a network's windows lie in a channel, and what the formulas read there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from microstage.errors import DatasetError
from microstage.estimation.record import Synchronous
from microstage.signals import SAMPLES_PER_CYCLE, half_cycle_dft, harmonic_amplitudes, windows

__all__ = ["BLOCK_CYCLES", "HALF", "Steps", "steps"]

BLOCK_CYCLES = {50: 10, 60: 12}
HALF = SAMPLES_PER_CYCLE // 2


@dataclass(frozen=True)
class Steps:
    """Windows of `length` samples, `hop` apart; those that touch a missing sample are left out.

    `time` [n] in s is when a window ends: its answer is had then. `half` [n, 4] is the DFT of the half cycle that ends
    there, `full` [n, 4] that of `cycles` cycles around the window's middle: peak amplitudes, NaN where samples are
    missing.
    """

    channel: Synchronous
    starts: np.ndarray
    length: int
    hop: int
    time: np.ndarray
    half: np.ndarray
    full: np.ndarray
    cycles: int
    left_out: int

    def runs(self) -> Iterator[np.ndarray]:
        """Yield windows [L, length] that follow one another: what a network with a memory reads without a break."""
        breaks = np.flatnonzero(np.diff(self.starts) != self.hop) + 1
        for starts in np.split(self.starts, breaks):
            yield windows(self.channel.samples, self.length)[starts]


def steps(channel: Synchronous, length: int, hop: int, nominal: int) -> Steps:
    """Return the channel's windows; `DatasetError` where it has none."""
    samples, known = channel.samples, channel.known
    cycles = min(BLOCK_CYCLES[nominal], len(samples) // SAMPLES_PER_CYCLE)
    if len(samples) < max(length, HALF) or not cycles:
        left, needed = len(samples) / SAMPLES_PER_CYCLE, max(length / SAMPLES_PER_CYCLE, 1)
        raise DatasetError(f"{left:.3g} cycles are left after resampling; {needed:g} are needed.")
    whole = windows(known, length, hop).all(-1)
    if not whole.any():
        raise DatasetError(f"all {len(whole)} windows touch missing samples.")
    starts = np.flatnonzero(whole) * hop
    ends = starts + length
    return Steps(
        channel, starts, length, hop, channel.time(ends - 1), _half(samples, known, ends),
        _full(samples, known, starts + length // 2, cycles), cycles, int((~whole).sum()),
    )  # fmt: skip


def _half(samples: np.ndarray, known: np.ndarray, ends: np.ndarray) -> np.ndarray:
    starts = np.maximum(ends - HALF, 0)
    return _where_known(half_cycle_dft(windows(samples, HALF)[starts]), windows(known, HALF)[starts])


def _full(samples: np.ndarray, known: np.ndarray, middle: np.ndarray, cycles: int) -> np.ndarray:
    """Return the full windows, shifted inwards at the ends of the record."""
    span = cycles * SAMPLES_PER_CYCLE
    starts = np.clip(middle - span // 2, 0, len(samples) - span)
    return _where_known(harmonic_amplitudes(windows(samples, span)[starts], cycles), windows(known, span)[starts])


def _where_known(amplitudes: np.ndarray, known: np.ndarray) -> np.ndarray:
    return np.where(known.all(-1)[:, None], amplitudes, np.nan)
