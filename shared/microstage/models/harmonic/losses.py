"""What training minimises: regret against the wired estimate, which is the half-cycle DFT, and the error itself."""

from __future__ import annotations

from torch import Tensor

__all__ = ["regret"]

_LEAST = 0.001  # of the gain: where the rival errs by less, it is not to be beaten
_ERROR = 10.0


def regret(predicted: Tensor, wanted: Tensor) -> Tensor:
    """Of amplitudes [n, L, 4] over the gain, or of two answers to each step, [n, 2 L, 4]; wanted [n, L, 4, 3] holds the
    truth, the rival's error and a weight."""
    truth, rival, weight = wanted.repeat(1, predicted.shape[1] // wanted.shape[1], 1, 1).unbind(3)
    error = (predicted - truth).abs()
    return ((error / (rival + _LEAST) + _ERROR * error) * weight).mean()
