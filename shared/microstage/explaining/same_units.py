"""Give a float network the units of its quantised form, in which tensors between layers may count in other ones.

Before it is quantised for powers of two, a network's layers are multiplied and divided by factors (`aligning`), which
change no answer. Each layer's factor is read off its weights.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, fx, nn

__all__ = ["take_units"]

_LAYERS = (nn.Conv1d, nn.Conv2d, nn.Linear)
_LARGE = 0.5  # of the largest weight: of those that are as large rounding moves the ratio least


@torch.no_grad()
def take_units(floats: fx.GraphModule, quantised: Mapping[str, nn.Module]) -> None:
    """Multiply the layers of `floats` so that each tensor counts in the unit that it has in the network whose modules
    are `quantised`.
    """
    modules, factors = dict(floats.named_modules()), dict[fx.Node, float]()
    for node in floats.graph.nodes:
        factors[node] = next((factors[source] for source in node.all_input_nodes), 1.0)
        layer = modules.get(str(node.target)) if node.op == "call_module" else None
        if isinstance(layer, _LAYERS):
            ratio = _ratio(quantised[str(node.target)].weight, layer.weight)
            factors[node] *= ratio
            layer.weight.mul_(ratio)
            if layer.bias is not None:
                layer.bias.mul_(factors[node])


def _ratio(of: Tensor, to: Tensor) -> float:
    """Return how many times as large the weights `of` are as the weights `to`, of which some were rounded."""
    large = to.abs() >= _LARGE * to.abs().max()
    return float((of[large] / to[large]).median()) if to.any() else 1.0
