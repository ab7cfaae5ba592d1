"""A plain float network that learns a task, by which its answers are judged."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from microstage.models.floats.tasks import Task
from microstage.models.floats.training import FloatTraining
from microstage.models.training import Splits

__all__ = ["TaskTraining"]


class TaskTraining(FloatTraining):
    replays = 256  # what convolutions compute of one example are a hundred thousand integers
    representatives = 256  # and each layer's bias is corrected by running all layers before it
    task: Task

    @staticmethod
    @abstractmethod
    def task_of(parameters: Mapping[str, Any], data: Path | None) -> Task:
        """Return what the network of these parameters learns."""

    def examples(self, data: Path | None) -> Splits:
        self.task = self.task_of(self.parameters, data)
        self.classes = self.task.classes
        self.loss_name = "cross entropy" if self.classes else "mean square"
        return self.task.splits

    def measured(self, answers: Tensor) -> dict[str, Any]:
        return self.task.measured(answers)
