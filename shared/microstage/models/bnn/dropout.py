"""Dropout that draws 16 random bits an element, all layers at once.

The framework draws 32 bits, one element after another.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

__all__ = ["masks"]

_STEPS = 2**16


def masks(share: float, shapes: Sequence[tuple[int, int]]) -> list[Tensor]:
    """Return what tensors of `shapes` are multiplied by to drop a `share` of their elements (to a 2^-16th).

    It is 0, or 1 / (1 - share).

    The bits are seeded anew by each call from torch's global generator, so that equal generators give equal masks.
    """
    sizes = [rows * columns for rows, columns in shapes]
    count = sum(sizes)
    bits = np.random.SFC64(int(torch.randint(2**62, (1,)))).random_raw(-(-count // 4)).view(np.uint16)[:count]
    kept = torch.from_numpy((bits < round((1 - share) * _STEPS)).view(np.uint8)).to(torch.float32).mul_(1 / (1 - share))
    return [mask.view(shape) for mask, shape in zip(kept.split(sizes), shapes)]
