"""Adam over one flat array that all parameters are parts of.

A small network's step is a few operations, not a dozen a parameter.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor, nn

__all__ = ["FlatAdam"]


class FlatAdam(torch.optim.Optimizer):
    """`torch.optim.Adam`'s step, every root correctly rounded.

    Parameters become views of one array; each needs a gradient at each step.
    """

    def __init__(
        self, parameters: Iterable[Tensor], lr: float, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8
    ) -> None:
        self.parts = list(parameters)
        flat = nn.Parameter(torch.cat([part.detach().flatten() for part in self.parts]))
        for part, piece in zip(self.parts, flat.detach().split([part.numel() for part in self.parts])):
            part.data = piece.view(part.shape)
        super().__init__([flat], {"lr": lr, "betas": betas, "eps": eps})
        self.state[flat] = {
            "step": 0,
            "mean": torch.zeros_like(flat.detach()),
            "square": torch.zeros_like(flat.detach()),
        }

    def zero_grad(self) -> None:
        for part in self.parts:
            part.grad = None

    @torch.no_grad()
    def step(self) -> None:
        group = self.param_groups[0]
        flat, (first, second) = group["params"][0], group["betas"]
        state = self.state[flat]
        state["step"] += 1
        gradient = torch.cat([part.grad.flatten() for part in self.parts])
        state["mean"].mul_(first).add_(gradient, alpha=1 - first)
        state["square"].mul_(second).addcmul_(gradient, gradient, value=1 - second)
        root = torch.from_numpy(
            np.sqrt(state["square"].numpy(), out=gradient.numpy())
        )  # the framework's own takes ten times as long
        root.div_(math.sqrt(1 - second ** state["step"])).add_(group["eps"])
        flat.addcdiv_(state["mean"], root, value=-group["lr"] / (1 - first ** state["step"]))
