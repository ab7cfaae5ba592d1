"""What the train stage asks of a model; a family's `train.py` has a subclass called `Training`.

The stage draws batches, steps Adam, keeps the best epoch by validation and goes on where it was killed; it knows
nothing of what is learnt. All randomness is torch's global generator, which the stage's checkpoints carry along.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

from microstage.errors import ModelError, ParameterError
from microstage.models.classification import classification_metrics
from microstage.models.definition import Definition
from microstage.models.network import Network

__all__ = ["Examples", "Inputs", "Phase", "Splits", "Training", "cosine", "each", "extremes", "predict"]

Inputs: TypeAlias = Tensor | tuple[Tensor, ...]


def each(inputs: Inputs) -> tuple[Tensor, ...]:
    """Return the inputs that a network is called with: the one, or all of several."""
    return inputs if isinstance(inputs, tuple) else (inputs,)


@dataclass(frozen=True)
class Examples:
    """What a network learns from: `inputs` and `targets` [n, ...].

    Inputs are one tensor, or a tuple of several, in the order of the network's. A subclass may alter what it draws.
    """

    inputs: Inputs
    targets: Tensor

    def __post_init__(self) -> None:
        counts = {len(values) for values in each(self.inputs)}
        if counts != {len(self.targets)} or not len(self.targets):
            given = " and ".join(map(str, sorted(counts)))
            raise ModelError(
                f"Examples need a target for each input; there are {given} inputs and {len(self.targets)} targets."
            )

    def __len__(self) -> int:
        return len(self.targets)

    def drawn(self, phase: str, epoch: int) -> Examples:
        """Return what this epoch trains on: these examples, or as many new ones where they can be drawn.

        A resumed training asks again.
        """
        return self

    def batch(self, rows: Tensor) -> tuple[Inputs, Tensor]:
        """Return inputs and targets of `rows`, augmented where that is part of the recipe.

        It is called for training alone.
        """
        chosen = tuple(values[rows] for values in each(self.inputs))
        return chosen if isinstance(self.inputs, tuple) else chosen[0], self.targets[rows]


@dataclass(frozen=True)
class Splits:
    train: Examples
    validation: Examples
    test: Examples


def cosine(done: float) -> float:
    """Fall from 1 to 0 along half a cosine, over the share `done` of a phase."""
    return 0.5 * (1 + math.cos(math.pi * done))


@dataclass(frozen=True)
class Phase:
    """`epochs` of one network by Adam, whose rate is `rate` times `schedule(share of the phase that is done)`.

    `loss(predicted, wanted)` is minimised, `score(predicted, wanted)` (by default the loss) chooses the epoch that is
    kept: lower is better. `after_step(network)` follows each step. Gradients are clipped to the norm `clip`, if given.
    From the share `settled` of the steps on, batch norms use their running statistics. `optimiser(parameters, lr)` may
    be another form of Adam.
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
    """One model with its data and recipe. A subclass says what is learnt and how; all else has a usual form.

    `input` is what the network's input is called, or a tuple of what several are. Where answers are `classes`, targets
    are their indices [n], and the largest answer counts.
    """

    input: str | tuple[str, ...] = "input"
    classes: Sequence[str] = ()
    units: Mapping[str, str] = {}  # of the ends of the graph
    loss_name = "loss"  # under the curves
    replays = 512  # test examples that later stages replay
    beside: Path | None = None  # folder of the user's files that parameters name
    splits: Splits
    network: Network  # after `phases()` is exhausted, what is exported

    def __init__(self, parameters: Mapping[str, Any], data: Path | None) -> None:
        """Keep the `parameters`; a subclass reads `data` into `splits`.

        `data` is the dataset's folder, None for one that is built in.
        """
        self.parameters = parameters

    @abstractmethod
    def phases(self) -> Iterator[Phase]:
        """Yield one phase after another; each is trained when it is yielded, so that what follows may start from it."""

    @cached_property
    def definition(self) -> Any:
        """What `save(folder)` writes to `model_def.json`, from which `Exporting` builds the network again."""
        about = {"classes": list(self.classes), "units": dict(self.units)}
        return Definition(self.parameters, {name: value for name, value in about.items() if value})

    def evaluate(self) -> dict[str, Any]:
        """Return metrics on the test examples, JSON values that hang on no last bit."""
        return self.measured(predict(self.network, self.splits.test.inputs))

    def measured(self, answers: Tensor) -> dict[str, Any]:
        """Return the metrics of `answers` to the test examples."""
        test, origin, found = self.splits.test, f"DATASET={self.parameters['dataset']}", answers.numpy()
        if self.classes:  # the first of equal ones
            return classification_metrics(self.classes, test.targets.numpy(), found.argmax(1), origin)
        error = np.abs(found - test.targets.numpy()).mean()
        return {"test.mean_absolute_error": float(f"{error:.6g}"), "test.examples": len(test), "test.origin": origin}

    def scales(self) -> dict[str, Any]:
        """Return what inputs and outputs mean: scale, zero point, unit, by name."""
        return {name: {"unit": unit} for name, unit in self.units.items()}

    def replayed(self) -> dict[str, np.ndarray]:
        """Return `test.npz`, what later stages replay: test examples spread evenly, then extremes, which have no truth.

        `real` tells them apart.
        """
        test = self.splits.test
        rows = np.unique(np.linspace(0, len(test) - 1, min(self.replays, len(test))).astype(int))
        targets = test.targets.numpy()[rows]
        names = (self.input,) if isinstance(self.input, str) else self.input
        if len(names) != len(each(test.inputs)):
            raise ModelError(
                f"Training.input names {', '.join(names)}; the examples have {len(each(test.inputs))} inputs."
            )
        hard = [extremes(values.numpy()) for values in each(self.splits.train.inputs)]
        unknown = np.full(
            (len(hard[0]), *targets.shape[1:]), np.nan if targets.dtype.kind == "f" else -1, targets.dtype
        )
        return {
            **{
                name: np.concatenate([values.numpy()[rows], ends])
                for name, values, ends in zip(names, each(test.inputs), hard)
            },
            "label" if self.classes else "truth": np.concatenate([targets, unknown]),
            "real": np.concatenate([np.ones(len(rows), np.uint8), np.zeros(len(unknown), np.uint8)]),
        }

    def file(self, parameter: str) -> Path:
        """Return the user's file that a parameter names; `ParameterError` where there is none."""
        path = self.beside and self.beside / parameter / self.parameters[parameter]
        if path is None or not path.is_file():
            raise ParameterError(f"{parameter.upper()}={self.parameters[parameter]} is no file.")
        return path

    def save(self, folder: Path) -> None:  # noqa: B027
        """Write what else later stages or commands may read."""

    def draw(self, folder: Path, metrics: Mapping[str, Any]) -> None:
        """Draw pictures of the metrics, beside the curves that every training has."""
        if self.classes:
            from microstage.charts.confusion import draw

            title = (
                f"{100 * metrics['test.accuracy']:.1f} % of {metrics['test.examples']} examples; "
                f"{metrics['test.origin']}"
            )
            draw(folder / "confusion.png", self.classes, np.array(metrics["test.confusion"]), title)


def extremes(inputs: np.ndarray) -> np.ndarray:
    """Return [5, ...] at and beyond the ends of what `inputs` [n, ...] hold.

    Zero, both ends, one after the other, and twice that.
    """
    low, high = inputs.min(), inputs.max()
    swing = np.where(np.arange(inputs[0].size) % 2, low, high).reshape(inputs.shape[1:])
    return np.stack(
        [np.zeros_like(swing), np.full_like(swing, low), np.full_like(swing, high), swing, 2 * swing]
    ).astype(inputs.dtype)


def predict(network: nn.Module, inputs: Inputs, batch: int = 1024) -> Tensor:
    """Return outputs in evaluation mode."""
    network.eval()
    with torch.no_grad():
        return torch.cat([network(*part) for part in zip(*(values.split(batch) for values in each(inputs)))])
