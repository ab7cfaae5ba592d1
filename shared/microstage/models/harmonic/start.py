"""Where training starts: corrections of zero, and a mean that is never started anew."""

from __future__ import annotations

import torch

__all__ = ["start"]

_KEPT = 1.5  # a keep head's bias: the decision is at one half


@torch.no_grad()
def start(twin) -> None:
    """Overwrite the last layers of the float twin's heads, and its LSTM's biases."""
    for head in twin.heads:
        head.out.weight.zero_()
        head.out.bias.zero_()
        head.keep.weight.mul_(0.1)
        head.keep.bias.fill_(_KEPT)
    forget = slice(twin.definition.hidden, 2 * twin.definition.hidden)
    twin.recurrent.bias_hh_l0.zero_()
    twin.recurrent.bias_ih_l0[forget] = 1.0
