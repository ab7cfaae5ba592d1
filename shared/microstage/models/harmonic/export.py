"""The harmonic network on its way to ONNX."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from microstage.models import exporting
from microstage.models.harmonic.definition import HARMONICS, PHASORS, HarmonicDefinition
from microstage.models.harmonic.network import HarmonicNetwork

__all__ = ["Exporting"]


class Exporting(exporting.Exporting):
    input, output = ("window", "estimate_1", "sum", "count"), ("correction", "estimate", "sum_next", "count_next")

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.network = HarmonicNetwork(HarmonicDefinition.load(folder))

    @property
    def example(self) -> tuple[Tensor, ...]:
        """One step."""
        samples = self.network.definition.samples
        return (
            torch.zeros(1, 1, samples),
            torch.zeros(1, PHASORS),
            torch.zeros(1, PHASORS),
            torch.zeros(1, len(HARMONICS)),
        )

    def sequence(self, window: Tensor, shift: Tensor) -> dict[str, Tensor]:
        found = self.network.sequence(window, shift)
        return dict(zip(self.outputs, (found.correction, found.estimate, found.sum, found.count)))
