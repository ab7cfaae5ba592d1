"""Dropout that draws 16 random bits an element, in one stream of its own; the framework draws 32 bits one after another."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

__all__ = ["Drop"]

_STEPS = 2**16


class Drop(nn.Module):
    """Zero a `share` of the elements (to a 2^-16th) and scale the others up, so that the expectation stays.

    The stream is seeded anew by each call from torch's global generator, so that equal generators give equal masks.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.kept = round((1 - share) * _STEPS)

    def mask(self, like: Tensor) -> Tensor | None:
        """What `like` is multiplied by, 0 or the inverse of the share kept; None if nothing is to be dropped."""
        if not self.training or self.kept == _STEPS:
            return None
        seed = int(torch.randint(2**62, (1,)))
        drawn = np.random.SFC64(seed).random_raw(-(-like.numel() // 4)).view(np.uint16)[: like.numel()]
        # half as many numbers are signed as there are bits: the comparison of two arrays of bytes is vectorised everywhere
        kept = torch.from_numpy((drawn < self.kept).view(np.uint8)).view(like.shape)
        return kept.to(like.dtype).mul_(_STEPS / self.kept)

    def forward(self, x: Tensor) -> Tensor:
        mask = self.mask(x)
        return x if mask is None else x * mask
