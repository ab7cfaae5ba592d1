"""Images that training moves and mirrors, anew whenever one is drawn."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from microstage.models.training import Examples

__all__ = ["ShiftedImages"]


@dataclass(frozen=True)
class ShiftedImages(Examples):
    """Each drawn image is moved by up to `shift` pixels either way, `black` moving in.

    If `mirrored`, it is turned round half of the time.
    """

    inputs: Tensor
    shift: int
    black: float
    mirrored: bool

    def batch(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        inputs = self.inputs[rows]
        if not self.shift and not self.mirrored:
            return inputs, self.targets[rows]
        count, channels, size = inputs.shape[:3]
        inputs = torch.nn.functional.pad(inputs, [self.shift] * 4, value=self.black)
        along = torch.arange(size)
        y, x = torch.randint(0, 2 * self.shift + 1, (2, count, 1))
        columns = along.expand(count, size)
        if self.mirrored:
            columns = torch.where(torch.rand(count, 1) < 0.5, along.flip(0), along)
        every = torch.arange(count)[:, None, None, None]
        moved = inputs[
            every, torch.arange(channels)[:, None, None], (along + y)[:, None, :, None], (columns + x)[:, None, None, :]
        ]
        return moved, self.targets[rows]
