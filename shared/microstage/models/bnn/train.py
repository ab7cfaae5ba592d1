"""Training of the binary networks as published: squared hinge loss, Adam, a rate that halves, weights held in [-1, 1].

The original keeps the epoch that is best on the test images; here images that are held out for it decide.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd import Function

from microstage.datasets.images import cifar10, glyphs, mnist
from microstage.datasets.images.image_set import CLASSES, ImageSet, LabelledImages, split
from microstage.datasets.locations import folder, required
from microstage.errors import ParameterError
from microstage.models import training
from microstage.models.bnn.adam import FlatAdam
from microstage.models.bnn.definition import BinaryDefinition
from microstage.models.bnn.network import BinaryNetwork
from microstage.models.classification import classification_metrics
from microstage.models.shifted_images import ShiftedImages
from microstage.models.training import Examples, Phase, Splits, predict

__all__ = ["Training"]

_READERS = {"mnist": mnist.read, "cifar10": cifar10.read}
_SHAPES = {"mnist": mnist.SHAPE, "cifar10": cifar10.SHAPE}
_BLACK = torch.zeros(1, dtype=torch.uint8)
_REPLAYED_PHOTOGRAPHS = 512  # what a convolution computes of one is a thousand times a digit


class Training(training.Training):
    loss_name = "squared hinge"

    def __init__(self, parameters: Mapping[str, Any], data: Path | None) -> None:
        self.parameters = parameters
        self.definition = BinaryDefinition.from_parameters(parameters)
        self.images = _load(parameters, data, self.definition)
        if not self.definition.convolutional:
            torch.set_num_threads(1)  # these products are too small to share
        drawn = self._examples(self.images.train)
        moved = ShiftedImages(
            drawn.inputs,
            drawn.targets,
            parameters["shift"],
            self._inputs(_BLACK).item(),
            parameters["dataset"] == "cifar10",
        )
        self.splits = Splits(moved, self._examples(self.images.validation), self._examples(self.images.test))

    def _examples(self, images: LabelledImages) -> Examples:
        return Examples(self._inputs(torch.from_numpy(images.pixels)), _targets(images))

    def _inputs(self, pixels: Tensor) -> Tensor:
        """Return grey levels, or what the quantiser that alone reads them makes of them, once and for all."""
        d = self.definition
        return pixels if d.convolutional or d.input_bits > 2 else BinaryNetwork(d).integers(pixels)

    def phases(self) -> Iterator[Phase]:
        p, trained = self.parameters, BinaryNetwork(self.definition)
        yield Phase(
            "quantised",
            trained,
            p["epochs"],
            p["batch"],
            p["learning_rate"],
            p["seed"],
            loss=squared_hinge,
            score=errors,
            schedule=lambda done: 0.5 ** int(done * p["halvings"]),
            after_step=BinaryNetwork.clip_weights,
            optimiser=FlatAdam,
        )
        self.network = BinaryNetwork(self.definition)
        self.network.load_weights(trained.weights())

    def evaluate(self) -> dict[str, Any]:
        """Return Top-1 accuracy, overall and per class, and the confusion matrix [true, found]."""
        found = predict(self.network, self.splits.test.inputs, batch=250).numpy().argmax(1)  # the first of equal ones
        return classification_metrics(self.definition.classes, self.images.test.labels, found, self.images.about)

    def scales(self) -> dict[str, Any]:
        return {
            "image": {
                "scale": 1.0,
                "zero_point": 0,
                "bits": 8,
                "unit": "grey level",
                "order": "channels, rows, columns",
            },
            "answer": {"classes": self.definition.classes, "of_equal_scores": "the first"},
        }

    def replayed(self) -> dict[str, np.ndarray]:
        """Return every test image, then the extremes, whose label is no class: 255.

        Of photographs there are at most 512, spread evenly.
        """
        test = self.images.test
        wanted = _REPLAYED_PHOTOGRAPHS if self.definition.convolutional else len(test)
        rows = np.unique(np.linspace(0, len(test) - 1, min(wanted, len(test))).astype(int))
        hard = extremes(self.definition.image)
        return {
            "image": np.concatenate([test.pixels[rows], hard]),
            "label": np.concatenate([test.labels[rows], np.full(len(hard), 255, np.uint8)]),
            "real": np.concatenate([np.ones(len(rows), np.uint8), np.zeros(len(hard), np.uint8)]),
        }


def squared_hinge(scores: Tensor, targets: Tensor) -> Tensor:
    """Return the mean of max(0, 1 - t s)^2 over every class, t being -1 or 1."""
    return _SquaredHinge.apply(scores, targets)


class _SquaredHinge(Function):
    @staticmethod
    def forward(ctx, scores, targets):
        ctx.short = (1 - scores * targets).clamp_min_(0)
        ctx.targets = targets
        return (ctx.short * ctx.short).mean()

    @staticmethod
    def backward(ctx, gradient):
        return ctx.short * ctx.targets * (-2 / ctx.short.numel() * gradient), None


def errors(scores: Tensor, targets: Tensor) -> Tensor:
    """Return the share of the images whose largest score is not that of their class."""
    return (scores.argmax(1) != targets.argmax(1)).float().mean()


def extremes(shape: tuple[int, int, int]) -> np.ndarray:
    """Return images uint8 [8, *shape] at the ends of the range.

    Black, white, the middle's two levels, stripes, checks, a dot.
    """
    rows, columns = np.indices(shape[1:])
    flat = [np.full(rows.shape, level) for level in (0, 255, 127, 128)]
    white = [rows % 2, columns % 2, (rows + columns) % 2, rows + columns == 0]
    return np.repeat(np.stack([*flat, *(255 * plane for plane in white)])[:, None], shape[0], axis=1).astype(np.uint8)


def _load(p: Mapping[str, Any], data: Path | None, d: BinaryDefinition) -> ImageSet:
    name = p["dataset"]
    if name == "glyphs":
        train, test = glyphs.read(p["images"], d.image, p["seed"])
        return split(
            train,
            test,
            min(p["held_out"], p["images"] // 4),
            p["seed"],
            "synthetic glyphs (built in; no photograph was used)",
        )
    if _SHAPES[name] != d.image:
        fitting = next(other for other, shape in _SHAPES.items() if shape == d.image)
        raise ParameterError(
            f"DATASET={name} has images of {list(_SHAPES[name])}; MODEL={d.model} takes {list(d.image)}: "
            f"DATASET={fitting}."
        )
    return split(*_READERS[name](folder(name, required(name, data))), p["held_out"], p["seed"], name)


def _targets(images: LabelledImages) -> Tensor:
    """Return [n, 10]: 1 for an image's class, -1 for every other."""
    return torch.from_numpy(2 * np.eye(CLASSES, dtype=np.float32)[images.labels] - 1)
