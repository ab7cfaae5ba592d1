"""Training of the tiny networks: what each is trained on, in floats and then with quantisers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from microstage.models.floats.training import FloatTraining
from microstage.models.tiny import networks
from microstage.models.tiny.pictures import pictures
from microstage.models.tiny.sounds import machine, words
from microstage.models.tiny.tasks import Task
from microstage.models.training import Splits

__all__ = ["Training"]

_TASKS: dict[str, Callable[[Mapping[str, Any], Path | None], Task]] = {
    "resnet8": pictures,
    "resnet20": pictures,
    "mobilenetv1": pictures,
    "mobilenetv2": pictures,
    "dscnn": words,
    "dae": machine,
}


class Training(FloatTraining):
    replays = 256  # what convolutions compute of one example are a hundred thousand integers
    representatives = 256  # and each layer's bias is corrected by running all layers before it
    task: Task

    @staticmethod
    def float_network(parameters: Mapping[str, Any]) -> nn.Module:
        return networks.float_network(parameters)

    def examples(self, data: Path | None) -> Splits:
        self.task = _TASKS[self.parameters["model"]](self.parameters, data)
        self.classes = self.task.classes
        self.loss_name = "cross entropy" if self.classes else "mean square"
        return self.task.splits

    def measured(self, answers: Tensor) -> dict[str, Any]:
        return self.task.measured(answers)
