"""Scales that leave room: biases and halves within 24 bits, outputs no finer than the sums that they are made of."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, fx

from microstage.quantisation.integers.integer_network import IntegerNetwork
from microstage.quantisation.integers.operations import Add, Product, Requantise
from microstage.quantisation.lowering import integers_of
from microstage.quantisation.quantisers.scales import activation_scales, set_weight_thresholds
from microstage.quantisation.targets import Target

__all__ = ["give_headroom"]

_BITS = 24  # what float32, in which ONNX's dialects hold integers, holds exactly
_ROUNDS = 4


@torch.no_grad()
def give_headroom(graph: fx.GraphModule, target: Target, example: Tensor) -> None:
    """Coarsen what is finer than it has any use for.

    A channel whose weights, or whose inputs, are next to nothing beside its bias would need a bias of more bits than
    there are: its weights get a larger scale. A target that only shifts to the right cannot make an output finer than a
    sum: that output gets the scale of the sum.
    """
    for _ in range(_ROUNDS):
        network = integers_of(graph, target, example)
        if not any([_coarsen_weights(graph, network), target.shift is not None and _coarsen_outputs(graph, network)]):
            return


def _coarsen_weights(graph: fx.GraphModule, network: IntegerNetwork) -> bool:
    changed = False
    for operation in network.operations:
        if isinstance(operation, Product):
            largest = np.abs(operation.bias) + _halves(operation, network)
            excess = np.ceil(np.log2(np.maximum(largest, 1) / 2.0**_BITS)).clip(0)
            excess = excess if len(operation.weight_scale) > 1 else excess.max(keepdims=True)
            if excess.any():
                changed = True
                levels = operation.weight_levels
                ranges = operation.weight_scale * max(-levels.lowest, levels.highest) * np.exp2(excess)
                set_weight_thresholds(graph.get_submodule(operation.layer), torch.from_numpy(ranges).float())
    return changed


def _halves(product: Product, network: IntegerNetwork) -> np.ndarray:
    """Return what its requantisers add before they shift, [channels] or [1]."""
    readers = [one for one in network.operations if product.output in one.inputs and isinstance(one, Requantise)]
    shifts = [np.maximum(one.shifts, 1) for one in readers if one.shifts is not None]
    return np.max([np.exp2(shift - 1.0) for shift in shifts], axis=0) if shifts else np.zeros(1)


def _coarsen_outputs(graph: fx.GraphModule, network: IntegerNetwork) -> bool:
    made_by = {operation.output: operation for operation in network.operations}
    changed = False
    for operation in network.operations:
        if isinstance(operation, Requantise) and isinstance(made_by[operation.inputs[0]], (Add, Product)):
            lacking = -min(operation.shifts or (0,))
            if lacking > 0:
                changed = True
                scale = next(one for one in activation_scales(graph) if operation.layer in one.quantisers)
                scale.set_threshold(scale.threshold * 2.0**lacking)
    return changed
