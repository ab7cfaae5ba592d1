"""What is learnt and how an answer is judged: classes, or what a machine sounds like when it is healthy."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from microstage.models.classification import classification_metrics
from microstage.models.training import Splits, each

__all__ = ["AnomalyDetection", "Classification", "Task", "area_under_curve", "partial_area"]

_FEW_FALSE_ALARMS = 0.1


@dataclass(frozen=True)
class Task(ABC):
    """`origin` says in words what was trained on and tested on; `classes` are none where answers are no classes."""

    splits: Splits
    origin: str
    classes: Sequence[str] = ()

    @property
    @abstractmethod
    def figure(self) -> str:
        """What `quality` is called."""

    @property
    @abstractmethod
    def units(self) -> np.ndarray:
        """What is judged as a whole: the unit of each test example [n]."""

    @abstractmethod
    def quality(self, answers: Tensor, weights: np.ndarray) -> np.ndarray:
        """Return how good answers are [draws], where each unit counts as often as `weights` [draws, units] has it."""

    @abstractmethod
    def measured(self, answers: Tensor) -> dict[str, Any]:
        """Return the metrics of answers to the test examples."""


@dataclass(frozen=True)
class Classification(Task):
    figure = "top-1"

    @property
    def units(self) -> np.ndarray:
        return np.arange(len(self.splits.test))

    def quality(self, answers: Tensor, weights: np.ndarray) -> np.ndarray:
        right = answers.numpy().argmax(1) == self.splits.test.targets.numpy()
        return weights @ right / weights.sum(1)

    def measured(self, answers: Tensor) -> dict[str, Any]:
        found = answers.numpy().argmax(1)  # the first of equal ones
        return classification_metrics(self.classes, self.splits.test.targets.numpy(), found, self.origin)


@dataclass(frozen=True)
class AnomalyDetection(Task):
    """What is answered should be what was asked. A clip's score is the mean square of what is missed over all of its
    windows: `clip` [n] is the clip of each test example, `faulty` [clips] whether it is an anomaly.
    """

    clip: np.ndarray = np.zeros(0, int)
    faulty: np.ndarray = np.zeros(0, bool)
    figure = "AUC"

    @property
    def units(self) -> np.ndarray:
        return self.clip

    def quality(self, answers: Tensor, weights: np.ndarray) -> np.ndarray:
        scores = self._scores(answers)
        difference = scores[self.faulty, None] - scores[~self.faulty]
        above = (difference > 0) + 0.5 * (difference == 0)
        faulty, healthy = weights[:, self.faulty], weights[:, ~self.faulty]
        return ((faulty @ above) * healthy).sum(1) / (faulty.sum(1) * healthy.sum(1))

    def _scores(self, answers: Tensor) -> np.ndarray:
        """Return how far each clip is from what is answered."""
        (asked,) = each(self.splits.test.inputs)
        missed = (answers - asked).square().mean(1).double().numpy()
        return np.bincount(self.clip, missed) / np.bincount(self.clip)

    def measured(self, answers: Tensor) -> dict[str, Any]:
        scores = self._scores(answers)
        healthy, faulty = scores[~self.faulty], scores[self.faulty]
        return {
            "test.auc": _rounded(area_under_curve(healthy, faulty)),
            "test.partial_auc": _rounded(partial_area(healthy, faulty)),
            "test.mean_square": _rounded(healthy.mean()),
            "test.mean_square_faulty": _rounded(faulty.mean()),
            "test.examples": len(scores),
            "test.origin": self.origin,
        }


def area_under_curve(healthy: np.ndarray, faulty: np.ndarray) -> float:
    """Return how often a faulty clip scores above a healthy one; of equal scores, half."""
    above = faulty[:, None] - healthy
    return float((above > 0).mean() + 0.5 * (above == 0).mean())


def partial_area(healthy: np.ndarray, faulty: np.ndarray) -> float:
    """Return the same beside that tenth of the healthy clips which scores highest, as DCASE's challenges have it: how
    good it is where false alarms are few.
    """
    kept = max(1, int(_FEW_FALSE_ALARMS * len(healthy)))
    return area_under_curve(np.sort(healthy)[-kept:], faulty)


def _rounded(value: float) -> float:
    return float(f"{value:.6g}")
