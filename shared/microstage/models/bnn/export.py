"""The binary networks on their way to ONNX: grey levels go in, the class comes out.

What lies around the network is inside the graph.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor
from torch.autograd import Function

from microstage.models import exporting
from microstage.models.bnn.definition import BinaryDefinition
from microstage.models.bnn.network import BinaryNetwork

__all__ = ["Exporting"]


class Exporting(exporting.Exporting):
    input, output = "image", "answer"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.network = Answering(
            BinaryDefinition.load(folder), fast=False
        )  # the quantisers' own calls are what is recorded


class Answering(BinaryNetwork):
    def forward(self, image: Tensor) -> Tensor:
        """Return class [n, 1], the first of equal scores, of image [n, channels, height, width]."""
        return _First.apply(super().forward(image))


class _First(Function):
    """The place of the largest score.

    ONNX' TopK gives the lower of two equal ones; the framework's own promises nothing.
    """

    @staticmethod
    def symbolic(g, scores):
        count = g.op("Constant", value_t=torch.tensor([1]))
        return g.op("TopK", scores, count, axis_i=1, largest_i=1, sorted_i=1, outputs=2)[1]

    @staticmethod
    def forward(ctx, scores):
        return scores.argmax(1, keepdim=True)
