"""What the train stage asks of a model; a family's `train.py` has a subclass called `Training`.

The stage draws batches, steps Adam, keeps the best epoch by validation and goes on where it was killed; it knows nothing
of what is learnt. All randomness is torch's global generator, which the stage's checkpoints carry along.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

__all__ = ["Examples", "Phase", "Splits", "Training", "cosine", "predict"]


@dataclass(frozen=True)
class Examples:
    """`inputs` and `targets` [n, ...]; a subclass may alter what it draws."""

    inputs: Tensor
    targets: Tensor

    def __len__(self) -> int:
        return len(self.inputs)

    def batch(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Inputs and targets of `rows`, augmented where that is part of the recipe. Called for training alone."""
        return self.inputs[rows], self.targets[rows]


@dataclass(frozen=True)
class Splits:
    train: Examples
    validation: Examples
    test: Examples


def cosine(done: float) -> float:
    """From 1 to 0 along half a cosine, over the share `done` of a phase."""
    return 0.5 * (1 + math.cos(math.pi * done))


@dataclass(frozen=True)
class Phase:
    """`epochs` of one network by Adam, whose rate is `rate` times `schedule(share of the phase that is done)`.

    `loss(predicted, wanted)` is minimised, `score(predicted, wanted)` (by default the loss) chooses the epoch that is kept: lower
    is better. `after_step(network)` follows each step. Gradients are clipped to the norm `clip`, if given. From the share
    `settled` of the steps on, batch norms use their running statistics. `optimiser(parameters, lr)` may be another form of Adam.
    """

    name: str
    network: nn.Module
    epochs: int
    batch: int
    rate: float
    seed: int
    loss: Callable[[Tensor, Tensor], Tensor]
    score: Callable[[Tensor, Tensor], Tensor] | None = None
    schedule: Callable[[float], float] = cosine
    after_step: Callable[[nn.Module], None] = lambda network: None
    clip: float | None = None
    settled: float = 1.0
    optimiser: Callable[..., torch.optim.Optimizer] = torch.optim.Adam


class Training(ABC):
    """One model with its data and recipe. After `phases()` is exhausted, `network` is what is exported."""

    definition: Any  # with save(folder), which writes model_def.json
    splits: Splits
    network: nn.Module  # with weights() and load_weights(state)
    loss_name = "loss"  # under the curves

    @abstractmethod
    def __init__(self, parameters: Mapping[str, Any], data: Path | None) -> None:
        """Read the dataset in the folder `data` (None for one that is built in) and set `definition` and `splits`."""

    @abstractmethod
    def phases(self) -> Iterator[Phase]:
        """One after another; each is trained when it is yielded, so that what follows may start from it."""

    @abstractmethod
    def evaluate(self) -> dict[str, Any]:
        """Metrics on the test examples, JSON values that hang on no last bit."""

    @abstractmethod
    def scales(self) -> dict[str, Any]:
        """What inputs and outputs mean: scale, zero point, unit, by name."""

    @abstractmethod
    def replayed(self) -> dict[str, np.ndarray]:
        """`test.npz`, what later stages replay: at least 256 test examples where there are so many, then extremes; `real` tells them apart."""

    def draw(self, folder: Path, metrics: Mapping[str, Any]) -> None:  # noqa: B027  most have none
        """Pictures of the metrics, beside the curves that every training has."""


def predict(network: nn.Module, inputs: Tensor, batch: int = 1024) -> Tensor:
    """Outputs in evaluation mode."""
    network.eval()
    with torch.no_grad():
        return torch.cat([network(part) for part in inputs.split(batch)])
