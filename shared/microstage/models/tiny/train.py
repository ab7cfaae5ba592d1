"""Training of the tiny networks: what each is trained on, in floats and then with quantisers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from torch import nn

from microstage.models.floats.pictures import pictures
from microstage.models.floats.task_training import TaskTraining
from microstage.models.floats.tasks import Task
from microstage.models.tiny import networks
from microstage.models.tiny.sounds import machine, words

__all__ = ["Training"]

_TASKS: dict[str, Callable[[Mapping[str, Any], Path | None], Task]] = {
    "resnet8": pictures,
    "resnet20": pictures,
    "mobilenetv1": pictures,
    "mobilenetv2": pictures,
    "dscnn": words,
    "dae": machine,
}


class Training(TaskTraining):
    @staticmethod
    def float_network(parameters: Mapping[str, Any]) -> nn.Module:
        return networks.float_network(parameters)

    @staticmethod
    def task_of(parameters: Mapping[str, Any], data: Path | None) -> Task:
        return _TASKS[parameters["model"]](parameters, data)
