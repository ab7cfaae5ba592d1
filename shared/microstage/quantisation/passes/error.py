"""How far a network's output is from the float network's."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

__all__ = ["answers", "relative_l2"]


@torch.no_grad()
def answers(network: Callable[[Tensor], Tensor], batches: Iterable[Tensor]) -> Tensor:
    return torch.cat([network(batch) for batch in batches])


def relative_l2(given: Tensor, expected: Tensor) -> float:
    """Return the root of the sum of squared differences, as a share of that of `expected`."""
    return float((given - expected).norm() / expected.norm().clamp_min(1e-30))
