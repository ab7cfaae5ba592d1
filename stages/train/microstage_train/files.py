"""Everything that the stage leaves behind, in bytes that depend on nothing but the numbers."""

from __future__ import annotations

from typing import Any

import torch

from microstage.files.canonical import write_json
from microstage.interface import golden
from microstage.models.training import Training
from microstage.stage import Job
from microstage.untrusted.printable import in_picture

__all__ = ["write"]


def write(job: Job, training: Training, metrics: dict[str, Any], history: dict[str, list[dict[str, float]]]) -> None:
    """Write weights, definition, scales, metrics, curves and the examples that later stages replay."""
    torch.save(training.network.weights(), job.output / "quantised_model_weight.pth")
    training.definition.save(job.output)
    write_json(job.output / "scales.json", training.scales())
    write_json(job.output / "metrics.json", {**metrics, "loss": history})
    for name, value in metrics.items():
        job.metric(name, value)
    _curves(job, history, training.loss_name)
    training.draw(job.output, metrics)
    training.save(job.output)
    golden.save(job.output / "test.npz", training.replayed())


def _curves(job: Job, history: dict[str, list[dict[str, float]]], loss: str) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, max(len(history), 1), figsize=(9, 3.2), squeeze=False)
    if not history:
        axes[0, 0].set(title="nothing was trained: the weights were given")
    for axis, (phase, epochs) in zip(axes[0], history.items()):
        for name in ("train", "validation"):
            axis.plot(range(1, len(epochs) + 1), [epoch[name] for epoch in epochs], marker=".", label=name)
        axis.set(title=f"{in_picture(phase)} epochs", xlabel="epoch", ylabel=in_picture(loss), yscale="log")
        axis.legend()
    figure.tight_layout()
    figure.savefig(job.output / "curves.png", dpi=110, metadata={"Software": None})
    pyplot.close(figure)
