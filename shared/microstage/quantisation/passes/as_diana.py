"""Calibration as DIANA's own tool does it, so that its integers are met again: what it does, whether it helps or not.

The network runs in training mode: batch norms use their batches' statistics, and go on averaging them, before they are
folded. Ranges are mean +- 3 sigma of all values, of a ReLU of those in front of it; scales are the next larger power of
two; one for a layer's weights. Weights of matrices, and of convolutions with a bias of their own, are floored; others
are rounded, halves up. What is added has one scale, at most that of the sum; a pool keeps its input's.
(After the public source of dianaquantlib; its dropout, which is drawn anew each time, is off here.)
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence

import brevitas.nn as qnn
import torch
from brevitas.nn.quant_layer import QuantNonLinearActLayer
from torch import Tensor, fx, nn

from microstage.quantisation.passes.spread import Spread
from microstage.quantisation.preparing.norms import fold_norms
from microstage.quantisation.quantisers.scales import (
    LayerWithWeights,
    activation_scales,
    layers_with_weights,
    set_weight_thresholds,
)
from microstage.quantisation.quantisers.sums import sum_scales

__all__ = ["calibrate_as_diana"]

_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)
_POOLS = (nn.AvgPool1d, nn.AvgPool2d)
_LOWEST, _HIGHEST = -128, 127
_LEVELS = 128  # that a threshold is divided into


@torch.no_grad()
def calibrate_as_diana(
    network: fx.GraphModule, unfolded: fx.GraphModule, example: Tensor, batches: Sequence[Tensor]
) -> None:
    """Set weights, biases and scales of `network`, which is `unfolded` with its norms folded and quantisers in it."""
    trained = copy.deepcopy(unfolded).train()
    spreads = _spreads(trained, batches)
    trained.eval()
    _set_activations(network, trained, spreads)
    floored = _floored(trained)
    fold_norms(trained, example)
    for name, layer in layers_with_weights(network):
        folded = trained.get_submodule(name)
        layer.weight.copy_(folded.weight)
        layer.bias.copy_(torch.zeros(len(layer.weight)) if folded.bias is None else folded.bias)
        _set_weights(layer, name in floored)


def _spreads(network: fx.GraphModule, batches: Sequence[Tensor]) -> dict[str, Spread]:
    """Return how the values of every node are spread."""
    spreads: dict[str, Spread] = {}

    class Spreading(fx.Interpreter):
        def run_node(self, node: fx.Node) -> object:
            result = super().run_node(node)
            if isinstance(result, Tensor):
                spreads.setdefault(node.name, Spread()).widen(result)
            return result

    for batch in batches:
        Spreading(network).run(batch)
    return spreads


def _set_activations(network: fx.GraphModule, unfolded: fx.GraphModule, spreads: Mapping[str, Spread]) -> None:
    quantisers = _quantiser_nodes(network)
    scales = {id(quantiser): scale for scale in activation_scales(network) for quantiser in scale.quantisers.values()}
    own: dict[int, float] = {}  # of what one scale is for, the largest range counts
    for node, quantiser in quantisers.items():
        scale, spread = scales[id(quantiser)], spreads[_observed(unfolded, node.all_input_nodes[0])]
        own[id(scale)] = max(own.get(id(scale), 0.0), _step(spread, isinstance(quantiser, qnn.QuantReLU)))
        scale.set_threshold(_LEVELS * own[id(scale)])
    for before, after in sum_scales(network):
        before.set_threshold(min(before.threshold, after.threshold))
    for node, quantiser in quantisers.items():
        if (source := _in_front_of_pool(network, node)) in quantisers:
            scales[id(quantiser)].set_threshold(scales[id(quantisers[source])].threshold)


def _quantiser_nodes(network: fx.GraphModule) -> dict[fx.Node, QuantNonLinearActLayer]:
    modules = dict(network.named_modules(remove_duplicate=False))
    found = {node: modules.get(str(node.target)) for node in network.graph.nodes if node.op == "call_module"}
    return {node: module for node, module in found.items() if isinstance(module, QuantNonLinearActLayer)}


def _observed(unfolded: fx.GraphModule, node: fx.Node) -> str:
    """Return the node of `unfolded` that gives what `node` does: of a layer with a norm behind it, the norm."""
    nodes = {other.name: other for other in unfolded.graph.nodes}
    while node.name not in nodes:  # a quantiser that was put in between
        (node,) = node.all_input_nodes
    same = nodes[node.name]
    return next((user.name for user in same.users if _is(unfolded, user, _NORMS)), same.name)


def _step(spread: Spread, rectified: bool) -> float:
    """Return the scale before it is rounded up to a power of two."""
    low, high = spread.three_sigma()
    if rectified or low >= 0:
        return (high if high > 0 else -low) / _HIGHEST
    return max(low / _LOWEST, high / _HIGHEST)


def _in_front_of_pool(network: fx.GraphModule, node: fx.Node) -> fx.Node | None:
    """Return what a pool reads, of which `node` quantises the average."""
    (pool,) = node.all_input_nodes
    return pool.all_input_nodes[0] if _is(network, pool, _POOLS) else None


def _is(network: fx.GraphModule, node: fx.Node, kinds: tuple[type[nn.Module], ...]) -> bool:
    return node.op == "call_module" and isinstance(network.get_submodule(str(node.target)), kinds)


def _floored(unfolded: fx.GraphModule) -> set[str]:
    """Return the layers whose weights are floored."""
    normed = {str(node.all_input_nodes[0].target) for node in unfolded.graph.nodes if _is(unfolded, node, _NORMS)}
    return {
        name
        for name, module in unfolded.named_modules()
        if isinstance(module, nn.Linear)
        or (isinstance(module, (nn.Conv1d, nn.Conv2d)) and module.bias is not None and name not in normed)
    }


def _set_weights(layer: LayerWithWeights, floored: bool) -> None:
    """Give the layer one scale, and weights that are integers of it already."""
    spread = Spread()
    spread.widen(layer.weight)
    low, high = spread.three_sigma()
    step = 2.0 ** math.ceil(math.log2(max(low / _LOWEST, high / _HIGHEST)))
    counted = (layer.weight / step).clamp(_LOWEST, _HIGHEST)
    layer.weight.copy_(torch.floor(counted if floored else counted + 0.5) * step)
    thresholds = layer.weight_quant.tensor_quant.scaling_impl.value
    set_weight_thresholds(layer, torch.full_like(thresholds, _LEVELS * step))
