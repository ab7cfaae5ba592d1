"""Training of the networks in floats, and what is quantised of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from microstage.fpgai.of_integers import has_such_layers, layers_of
from microstage.fpgai.state import write_tuple
from microstage.models.floats.pictures import pictures
from microstage.models.floats.task_training import TaskTraining
from microstage.models.floats.tasks import Task
from microstage.models.floats.weights import RAW_FILE
from microstage.models.zoo import networks

__all__ = ["Training"]


class Training(TaskTraining):
    representatives = 128
    learns_rounding = False  # which takes hours in networks of this size

    @staticmethod
    def float_network(parameters: Mapping[str, Any]) -> nn.Module:
        return networks.float_network(parameters)

    @staticmethod
    def task_of(parameters: Mapping[str, Any], data: Path | None) -> Task:
        return pictures(parameters, data)

    @property
    def floats_file(self) -> str:
        return RAW_FILE.format(name=self.parameters["model"])

    def save(self, folder: Path) -> None:
        """Write, beside the float network, the integers as FPGAI keeps them, for a target that has such layers."""
        super().save(folder)
        if has_such_layers(self.target):
            path = folder / f"{self.parameters['model']}_quant.tuple"
            write_tuple(path, layers_of(self.network.integerize()))
