"""Everything that the stage leaves behind, in bytes that depend on nothing but the numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from microstage.canonical import write_json
from microstage.golden import save
from microstage.models.harmonic.definition import HARMONICS, HarmonicDefinition
from microstage.models.harmonic.network import HarmonicNetwork
from microstage.signals import EXPONENTS, WINDOW_SCALE
from microstage.stage import Job
from microstage_train.data import Prepared

__all__ = ["extremes", "write"]

_REPLAYED = 512


def write(
    job: Job,
    definition: HarmonicDefinition,
    network: HarmonicNetwork,
    data: Prepared,
    metrics: dict[str, Any],
    history: dict[str, list[dict[str, float]]],
) -> None:
    """Weights, definition, scales, metrics, curves and the windows that later stages replay."""
    torch.save(network.weights(), job.output / "quantised_model_weight.pth")
    definition.save(job.output)
    write_json(job.output / "scales.json", {
        "window": {"scale": WINDOW_SCALE, "zero_point": 0, "bits": 8, "gain": "2^exponent", "exponents": list(EXPONENTS)},
        "harmonics": {"order": list(HARMONICS), "relative_to": "2^exponent", "value": "peak amplitude", "unit": data.unit},
    })
    write_json(job.output / "metrics.json", {**metrics, "loss": history})
    for name, value in metrics.items():
        job.metric(name, value)
    _curves(job, history)
    _test_windows(job, definition, data)


def _test_windows(job: Job, definition: HarmonicDefinition, data: Prepared) -> None:
    """Test windows spread evenly over the test sources, then the extremes (whose truth is not known: nan)."""
    split = data.test.source
    rows = np.unique(np.linspace(0, len(split) - 1, min(_REPLAYED, len(split))).astype(int))
    hard = extremes(definition.samples)
    save(job.output / "test.npz", {
        "waveform": np.concatenate([split.windows[rows], hard]).astype(np.float32),
        "truth": np.concatenate([split.truth[rows], np.full((len(hard), len(HARMONICS)), np.nan)]),
        "real": np.concatenate([np.ones(len(rows), np.uint8), np.zeros(len(hard), np.uint8)]),
    })


def extremes(length: int) -> np.ndarray:
    """Waveforms [16, length] at the ends of every range: silence, full scale, steps, impulses, the fastest alternation."""
    t = np.arange(length)
    shapes = [np.zeros(length), np.ones(length), np.where(t % 2, -1.0, 1.0), np.where(t < length // 2, -1.0, 1.0),
              np.eye(length)[0], np.eye(length)[-1], np.cos(2 * np.pi * t / 64), np.sign(np.sin(2 * np.pi * (t + 0.5) / 64))]
    return np.concatenate([[1.0, -1.0][k] * np.array(shapes) * [1.0, 2.0**15][k] for k in range(2)])


def _curves(job: Job, history: dict[str, list[dict[str, float]]]) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, len(history), figsize=(9, 3.2), squeeze=False)
    for axis, (phase, epochs) in zip(axes[0], history.items()):
        for name in ("train", "validation"):
            axis.plot(range(1, len(epochs) + 1), [epoch[name] for epoch in epochs], marker=".", label=name)
        axis.set(title=f"{phase} epochs", xlabel="epoch", ylabel="weighted absolute error", yscale="log")
        axis.legend()
    figure.tight_layout()
    figure.savefig(job.output / "curves.png", dpi=110, metadata={"Software": None})
    pyplot.close(figure)
