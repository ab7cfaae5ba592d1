"""Give the channels between layers like ranges, by brevitas, wherever that leaves the function what it is."""

from __future__ import annotations

import copy

import torch
from brevitas.graph.equalize import _equalize, _extract_regions
from torch import Tensor, fx

from microstage.errors import VerificationError

__all__ = ["equalised"]

_TOLERANCE = 1e-5  # of the largest output
_ROUNDS = 10
_HOW = {"threshold": None, "merge_bias": False, "bias_shrinkage": "vaiq", "scale_computation_type": "maxabs"}


@torch.no_grad()
def equalised(graph: fx.GraphModule, example: Tensor) -> fx.GraphModule:
    """Return `graph`, equalised across layers.

    `VerificationError` names the layers between which that changes what is computed.
    """
    expected = graph(example)
    changed = copy.deepcopy(graph)
    for region in sorted(_extract_regions(graph)):
        _equalize(changed, {region}, iterations=_ROUNDS, **_HOW)
        moved = float((changed(example) - expected).abs().max() / expected.abs().max().clamp_min(1e-30))
        if moved > _TOLERANCE:
            raise VerificationError(
                f"Equalising {' and '.join(region.srcs)} with {' and '.join(region.sinks)} changes what the network "
                f"computes: its output moved by {moved:.3g} of its largest value; at most {_TOLERANCE:g} is allowed."
            )
    return changed
