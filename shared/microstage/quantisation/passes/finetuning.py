"""Train a quantised network further, with the rounding of its target in the way."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from microstage.process.progress import progress

__all__ = ["Batch", "Loss", "finetune"]

Batch = tuple[Tensor, Tensor]
Loss = Callable[[Tensor, Tensor], Tensor]


def finetune(
    network: nn.Module,
    parameters: Sequence[nn.Parameter],
    batches: Sequence[Batch],
    loss: Loss,
    epochs: int,
    rate: float,
    seed: int,
    validation: Sequence[Batch] | None,
) -> None:
    """Follow the gradient of `loss` by Adam at a `rate` that falls to zero; keep the one best on `validation`.

    That may be none: with `validation`, the network never gets worse on it.
    """
    order = torch.Generator().manual_seed(seed)
    optimiser = torch.optim.Adam(parameters, rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, max(1, epochs * len(batches)))
    best, least = copy.deepcopy(network.state_dict()), mean_loss(network, validation, loss)
    for epoch in range(epochs):
        chosen = torch.randperm(len(batches), generator=order).tolist()
        for index in progress(chosen, len(batches), f"epoch {epoch + 1} of {epochs}"):
            inputs, targets = batches[index]
            optimiser.zero_grad()
            loss(network(inputs), targets).backward()
            optimiser.step()
            schedule.step()
        reached = mean_loss(network, validation, loss)
        if validation is None or reached < least:
            best, least = copy.deepcopy(network.state_dict()), reached
    network.load_state_dict(best)


@torch.no_grad()
def mean_loss(network: nn.Module, batches: Sequence[Batch] | None, loss: Loss) -> float:
    if not batches:
        return float("inf")
    losses = [float(loss(network(inputs), targets)) * len(inputs) for inputs, targets in batches]
    return sum(losses) / sum(len(inputs) for inputs, _ in batches)
