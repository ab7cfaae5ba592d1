"""One recording of the golden vectors: its waveform, what the answered harmonics make of it, and their errors."""

from __future__ import annotations

from typing import Any

import numpy as np

from microstage.signals import SAMPLES_PER_CYCLE
from microstage_report.facts.run import PublishedRun

__all__ = ["signal"]

_SHOWN = 256  # samples: the last cycles, of which the answers are


def signal(run: PublishedRun) -> dict[str, Any] | None:
    """Return the signal section of a network that answers the sizes of harmonics; None of any other.

    The network answers no phases; those of the reconstruction are the recording's own.
    """
    model, vectors = run.model, run.vectors
    amplitudes = model.get("gain", {}).get("outputs", {}).get("harmonics", "")
    answers, waveforms = vectors.get(f"real.{amplitudes}"), vectors.get("waveform")
    if "harmonics" not in model or answers is None or waveforms is None:
        return None
    sample = _telling(run, waveforms)
    per_cycle, orders = model["gain"].get("samples_per_cycle", SAMPLES_PER_CYCLE), model["harmonics"]
    wave, answered = waveforms[sample].astype(float), answers[sample].reshape(-1, len(orders))[-1].astype(float)
    rate = per_cycle * run.parameters.get("frequency", 50)
    made = _reconstructed(wave, orders, answered, per_cycle)
    return {
        "unit": run.metrics.get("test.unit", "A"),
        "sample": int(sample),
        "seconds": [round(n / rate, 6) for n in range(len(wave))][-_SHOWN:],
        "waveform": _rounded(wave),
        "reconstruction": _rounded(made),
        "spectrum": _spectrum(run, int(sample), orders, answered),
    }


def _telling(run: PublishedRun, waveforms: np.ndarray) -> int:
    """Return the sample of the data whose size is the median's: neither the loudest nor the most silent."""
    samples = run.samples
    sizes = np.abs(waveforms[samples]).max(axis=1)
    return int(samples[np.argsort(sizes, kind="stable")[len(sizes) // 2]])


def _reconstructed(wave: np.ndarray, orders: list[int], answered: np.ndarray, per_cycle: int) -> np.ndarray:
    """Return the sum of the answered harmonics, with the phases of the recording's last cycle."""
    time = 2 * np.pi * np.arange(len(wave)) / per_cycle
    last = slice(len(wave) - per_cycle, len(wave))
    phases = [np.angle(np.sum(wave[last] * np.exp(-1j * order * time[last]))) for order in orders]
    return sum(size * np.cos(order * time + phase) for order, size, phase in zip(orders, answered, phases))


def _spectrum(run: PublishedRun, sample: int, orders: list[int], answered: np.ndarray) -> list[dict[str, float]]:
    truth = run.vectors["truth"][sample].reshape(-1, len(orders))[-1] if "truth" in run.vectors else None
    rows = [{"harmonic": order, "answered": _round(size)} for order, size in zip(orders, answered)]
    if truth is None:
        return rows
    return [row | {"expected": _round(e), "error": _round(row["answered"] - e)} for row, e in zip(rows, truth)]


def _rounded(values: np.ndarray) -> list[float]:
    return [_round(value) for value in values[-_SHOWN:]]


def _round(value: float) -> float:
    return float(f"{value:.6g}")
