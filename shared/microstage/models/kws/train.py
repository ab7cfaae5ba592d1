"""Training of the keyword network, as published.

Adam along a cosine, cross entropy against the frequencies of the classes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from microstage.datasets.speech.clips import CLASSES, UNKNOWN
from microstage.datasets.speech.reading import read
from microstage.models import training
from microstage.models.classification import classification_metrics
from microstage.models.kws.data import NoisyClips, clip_examples
from microstage.models.kws.definition import KeywordDefinition
from microstage.models.kws.network import KeywordNetwork
from microstage.models.training import Phase, Splits, cosine, each, predict

__all__ = ["Training", "class_weights", "extremes"]

_LAST_RATE = 1e-8
_OF_UNKNOWN = 1 / 3.6  # it is many words, and heard more often than any other
_PERCENTILE = 99
_REPLAYED = 512


class Training(training.Training):
    loss_name = "weighted cross entropy"

    def __init__(self, parameters: Mapping[str, Any], data: Path | None) -> None:
        self.parameters = p = parameters
        speech = read(p, data)
        self.origin = speech.origin
        train = clip_examples(speech.train)
        noisy = NoisyClips(
            train.inputs, train.targets, train.clips, speech.noise, p["noise_frequency"], p["noise_volume"]
        )
        self.splits = Splits(noisy, clip_examples(speech.validation), clip_examples(speech.test))
        self.definition = KeywordDefinition.from_parameters({**p, "input_range": _input_range(train.inputs)})
        self.network = KeywordNetwork(self.definition)

    def phases(self) -> Iterator[Phase]:
        p = self.parameters
        loss = nn.CrossEntropyLoss(class_weights(self.splits.train.targets))
        last = _LAST_RATE / p["learning_rate"]
        yield Phase(
            "quantised",
            self.network,
            p["epochs"],
            p["batch"],
            p["learning_rate"],
            p["seed"],
            loss,
            schedule=lambda done: last + (1 - last) * cosine(done),
        )

    def evaluate(self) -> dict[str, Any]:
        """Return Top-1 accuracy, overall and per class, and the confusion matrix [true, found]."""
        test = self.splits.test
        found = predict(self.network, test.inputs).argmax(1)  # the lowest of equal ones
        return classification_metrics(CLASSES, test.targets.numpy(), found.numpy(), self.origin)

    def scales(self) -> dict[str, Any]:
        d = self.definition
        return {
            "features": {
                "scale": d.input_scale,
                "zero_point": 0,
                "bits": d.input_bits,
                "order": "coefficient-major, 10 by 49",
            },
            "logits": {"order": list(CLASSES), "answer": "the largest; the first of equal ones"},
        }

    def replayed(self) -> dict[str, np.ndarray]:
        """Return test clips spread evenly, then extremes, which have no label."""
        test = self.splits.test
        (features,) = each(test.inputs)
        rows = np.unique(np.linspace(0, len(test) - 1, min(_REPLAYED, len(test))).astype(int))
        hard = extremes(self.definition)
        return {
            "mfcc": np.concatenate([features.numpy()[rows], hard]),
            "label": np.concatenate([test.targets.numpy()[rows], np.full(len(hard), -1)]),
            "real": np.concatenate([np.ones(len(rows), np.uint8), np.zeros(len(hard), np.uint8)]),
        }

    def draw(self, folder: Path, metrics: Mapping[str, Any]) -> None:
        from microstage.charts.confusion import draw

        title = f"{100 * metrics['test.accuracy']:.1f} % of {metrics['test.examples']} clips; {self.origin}"
        draw(folder / "confusion.png", CLASSES, np.array(metrics["test.confusion"]), title)


def class_weights(labels: Tensor) -> Tensor:
    """Return the weight per class; their sum is 1.

    A class weighs one minus its share of the examples; unknown's is divided by 3.6 more.
    """
    weights = 1 - torch.bincount(labels, minlength=len(CLASSES)).double() / len(labels)
    weights[UNKNOWN] *= _OF_UNKNOWN
    return (weights / weights.sum()).float()


def extremes(definition: KeywordDefinition) -> np.ndarray:
    """Return features [10, 490] at and beyond the ends of the range.

    All at once, each half, alternating, zero, and ties of rounding.
    """
    n = np.arange(definition.inputs)
    signs = [np.ones(len(n)), np.where(n % 2, -1.0, 1.0), np.where(n < len(n) // 2, -1.0, 1.0), np.zeros(len(n))]
    tied = (n % 9 - 4 + 0.5) * definition.input_scale
    rows = [size * definition.input_range * sign for size in (1.0, -1.5) for sign in signs]
    return np.array([*rows, tied, -tied], np.float32)


def _input_range(inputs: Tensor) -> float:
    """Return the 99th percentile of the features' magnitudes: what is beyond it is clipped."""
    return float(np.float32(np.percentile(np.abs(inputs.numpy()), _PERCENTILE)))
