"""The harmonic network on its way to ONNX."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from microstage.models import exporting
from microstage.models.harmonic.definition import HarmonicDefinition
from microstage.models.harmonic.network import HarmonicNetwork

__all__ = ["Exporting"]


class Exporting(exporting.Exporting):
    input, output = "window", "harmonics"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.network = HarmonicNetwork(HarmonicDefinition.load(folder))

    @property
    def example(self) -> tuple[Tensor, ...]:
        return (torch.zeros(1, 1, self.network.definition.samples),)
