"""brevitas' own way after training, by its own functions and its own quantisers: what ours are measured by."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from brevitas.graph.calibrate import bias_correction_mode, calibration_mode
from brevitas.graph.per_input import AdaptiveAvgPoolToAvgPool
from brevitas.graph.quantize import COMPUTE_LAYER_MAP, preprocess_for_quantize, quantize
from brevitas.quant import Int8WeightPerChannelFloat
from torch import Tensor, fx, nn

__all__ = ["brevitas_flow"]

_PER_CHANNEL = {
    **COMPUTE_LAYER_MAP,
    **{
        kind: (layer, {**settings, "weight_quant": Int8WeightPerChannelFloat})
        for kind, (layer, settings) in ((kind, COMPUTE_LAYER_MAP[kind]) for kind in (nn.Conv1d, nn.Conv2d, nn.Linear))
    },
}


@torch.no_grad()
def brevitas_flow(model: nn.Module, example: Tensor, batches: Sequence[Tensor], per_channel: bool) -> fx.GraphModule:
    """Return `model` with 8 bits throughout: real scales, unsigned behind a ReLU.

    Weights have a scale per tensor, as in the maps that come with it, or `per_channel`.
    """
    graph = preprocess_for_quantize(copy.deepcopy(model).eval())
    graph = AdaptiveAvgPoolToAvgPool().apply(graph, example)
    layers = _PER_CHANNEL if per_channel else COMPUTE_LAYER_MAP
    quantised = quantize(graph, compute_layer_map=layers).eval()
    with calibration_mode(quantised):
        for batch in batches:
            quantised(batch)
    with bias_correction_mode(quantised):
        for batch in batches:
            quantised(batch)
    return quantised.eval()
