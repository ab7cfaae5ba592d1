"""Batch norms become part of the layer before them, or a layer of their own."""

from __future__ import annotations

import torch
from brevitas.graph.fixed_point import MergeBatchNorm
from torch import Tensor, fx, nn

from microstage.quantisation.preparing.tracing import shapes_of

__all__ = ["fold_norms"]


def fold_norms(graph: fx.GraphModule, example: Tensor) -> None:
    """Fold y = gain (x - mean) / deviation + offset into weights and biases.

    Where no layer with weights stands before one, or others read that too, it becomes a convolution of its own, by one
    weight per channel; of vectors a diagonal matrix.
    """
    for module in graph.modules():
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)) and module.weight is None:
            module.weight = nn.Parameter(torch.ones(module.num_features))
            module.bias = nn.Parameter(torch.zeros(module.num_features))
    MergeBatchNorm().apply(graph)
    shapes = shapes_of(graph, example)
    for node in graph.graph.nodes:
        module = graph.get_submodule(node.target) if node.op == "call_module" else None
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
            graph.add_submodule(node.target, _by_itself(module, len(shapes[node])))


@torch.no_grad()
def _by_itself(norm: nn.BatchNorm1d | nn.BatchNorm2d, rank: int) -> nn.Module:
    channels = norm.num_features
    gain = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    layer: nn.Module
    if rank == 2:
        layer = nn.Linear(channels, channels)
        layer.weight.copy_(torch.diag(gain))
    else:
        layer = (nn.Conv1d if rank == 3 else nn.Conv2d)(channels, channels, 1, groups=channels)
        layer.weight.copy_(gain.reshape(layer.weight.shape))
    layer.bias.copy_(norm.bias - norm.running_mean * gain)
    return layer
