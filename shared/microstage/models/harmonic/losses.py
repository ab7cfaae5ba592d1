"""What training minimises: regret against the wired estimate, which is the half-cycle DFT, and the error itself."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["regret"]

# Of the gain: where the rival errs by less, it is not to be beaten. In the fundamental it seldom is.
_LEAST = torch.tensor([0.001, 0.0015, 0.0015, 0.002])
_ERROR = 10.0
_ALONE = 2.0  # what each window counts as a first step, beside what it counts in its sequence


def regret(predicted: Tensor, wanted: Tensor) -> Tensor:
    """Return the loss of amplitudes [n, L, 4] over the gain, or of two answers to each step.

    Two answers are [n, 2 L, 4]: in sequence, then alone. `wanted` [n, L, 4, 3] holds the truth, the rival's error and a
    weight.
    """
    length = wanted.shape[1]
    if predicted.shape[1] > length:
        sequence, alone = (regret(part, wanted) for part in predicted.split(length, dim=1))
        return (sequence + _ALONE * alone) / (1 + _ALONE)
    truth, rival, weight = wanted.unbind(3)
    error = (predicted - truth).abs()
    return ((error / (rival + _LEAST) + _ERROR * error) * weight).mean()
