"""What flows into a layer, and out of it, while its network computes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["inputs_of", "outputs_of", "plain"]


def inputs_of(layer: nn.Module, network: Callable[[Tensor], Any], batches: Sequence[Tensor]) -> Tensor:
    """Return what `layer` is given [n, ...] while `network` computes `batches`."""
    found: list[Tensor] = []
    hook = layer.register_forward_pre_hook(lambda _module, given: found.append(plain(given[0])))
    return _collected(found, hook, network, batches)


def outputs_of(layer: nn.Module, network: Callable[[Tensor], Any], batches: Sequence[Tensor]) -> Tensor:
    """Return what `layer` gives [n, ...] while `network` computes `batches`."""
    found: list[Tensor] = []
    hook = layer.register_forward_hook(lambda _module, _given, output: found.append(plain(output)))
    return _collected(found, hook, network, batches)


def plain(value: Any) -> Tensor:
    """Return the values of a tensor, brevitas' or torch's."""
    return value.value if hasattr(value, "scale") else value


@torch.no_grad()
def _collected(found: list[Tensor], hook: Any, network: Callable[[Tensor], Any], batches: Sequence[Tensor]) -> Tensor:
    try:
        for batch in batches:
            network(batch)
    finally:
        hook.remove()
    return torch.cat(found)
