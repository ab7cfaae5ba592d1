"""brevitas' own way after training, by its own functions and its own quantisers: what ours are measured by."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from brevitas.graph.calibrate import bias_correction_mode, calibration_mode
from brevitas.graph.per_input import AdaptiveAvgPoolToAvgPool
from brevitas.graph.quantize import preprocess_for_quantize, quantize
from torch import Tensor, fx, nn

__all__ = ["brevitas_flow"]


@torch.no_grad()
def brevitas_flow(
    model: nn.Module, example: Tensor, batches: Sequence[Tensor], corrected: bool = True
) -> fx.GraphModule:
    """Return `model` with 8 bits throughout: weights per tensor, real scales, unsigned behind a ReLU."""
    graph = preprocess_for_quantize(copy.deepcopy(model).eval())
    graph = AdaptiveAvgPoolToAvgPool().apply(graph, example)
    quantised = quantize(graph).eval()
    with calibration_mode(quantised):
        for batch in batches:
            quantised(batch)
    if corrected:
        with bias_correction_mode(quantised):
            for batch in batches:
                quantised(batch)
    return quantised.eval()
